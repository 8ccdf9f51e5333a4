// Makes a list of files of what was dropped: folders with all that is in them.

/** A file by the path that it has from what was dropped. */
export interface NamedFile {
  path: string;
  file: File;
}

export interface Dropped {
  files: NamedFile[];
  /** Files and folders inside of folders whose names begin with a dot: they are left out. */
  hidden: number;
}

/** Call it while the event is handled: afterwards the browser forgets what was dropped. */
export async function droppedFiles(items: Iterable<DataTransferItem>): Promise<Dropped> {
  const entries = [...items].filter((item) => item.kind === "file").map(entryOf);
  const dropped: Dropped = { files: [], hidden: 0 };
  for (const entry of entries) {
    if (entry instanceof File) dropped.files.push({ path: entry.name, file: entry });
    else if (entry) await walk(entry, entry.name, dropped);
  }
  return dropped;
}

function entryOf(item: DataTransferItem): FileSystemEntry | File | null {
  return item.webkitGetAsEntry?.() ?? item.getAsFile();
}

async function walk(entry: FileSystemEntry, path: string, dropped: Dropped): Promise<void> {
  if (!entry.isDirectory) {
    const file = await new Promise<File>((resolve, reject) =>
      (entry as FileSystemFileEntry).file(resolve, reject),
    );
    dropped.files.push({ path, file });
    return;
  }
  const reader = (entry as FileSystemDirectoryEntry).createReader();
  for (;;) {
    const some = await new Promise<FileSystemEntry[]>((resolve, reject) =>
      reader.readEntries(resolve, reject),
    );
    if (!some.length) return; // it gives a hundred at a time
    for (const each of some) {
      if (each.name.startsWith(".")) dropped.hidden += 1;
      else await walk(each, `${path}/${each.name}`, dropped);
    }
  }
}
