import assert from "node:assert/strict";
import { test } from "node:test";
import { droppedFiles } from "./dropped_files.ts";

interface Entry {
  name: string;
  isDirectory: boolean;
}

function aFile(name: string): Entry {
  const file = (resolve: (file: File) => void) => resolve(new File(["tea"], name));
  return Object.assign({ name, isDirectory: false }, { file });
}

/** Gives its entries in parts, as browsers do. */
function aFolder(name: string, entries: Entry[], part = 100): Entry {
  const createReader = () => {
    let at = 0;
    return {
      readEntries: (resolve: (some: Entry[]) => void) => resolve(entries.slice(at, (at += part))),
    };
  };
  return Object.assign({ name, isDirectory: true }, { createReader });
}

function dropped(entry: Entry | null, file: File | null = null): DataTransferItem {
  const item = { kind: "file", webkitGetAsEntry: () => entry, getAsFile: () => file };
  return item as unknown as DataTransferItem;
}

test("a folder is taken with all that is in it, under its paths", async () => {
  const many = Array.from({ length: 250 }, (_, at) => aFile(`${at}.md`));
  const folder = aFolder("notes", [aFile("tea.md"), aFolder("old", many)]);
  const { files } = await droppedFiles([dropped(folder), dropped(aFile("cup.txt"))]);
  assert.equal(files.length, 252);
  assert.deepEqual(
    [files[0], files[1], files.at(-1)].map((each) => each?.path),
    ["notes/tea.md", "notes/old/0.md", "cup.txt"],
  );
});

test("hidden files inside of folders are left out and counted; one that was dropped itself is not", async () => {
  const folder = aFolder("notes", [aFile(".DS_Store"), aFolder(".git", [aFile("HEAD")])]);
  const { files, hidden } = await droppedFiles([dropped(folder), dropped(aFile(".profile"))]);
  assert.deepEqual(
    files.map(({ path }) => path),
    [".profile"],
  );
  assert.equal(hidden, 2);
});

test("where a browser knows no folders, files are taken as they are; text is no file", async () => {
  const text = { kind: "string" } as DataTransferItem;
  const { files } = await droppedFiles([text, dropped(null, new File(["tea"], "tea.md"))]);
  assert.deepEqual(
    files.map(({ path }) => path),
    ["tea.md"],
  );
});
