// Every English text of the console.

const count = (n: number, one: string, many: string) =>
  `${n.toLocaleString("en")} ${n === 1 ? one : many}`;

const list = (words: string[]) =>
  new Intl.ListFormat("en", { type: "disjunction" }).format(words.map((word) => `“${word}”`));

export const texts = {
  product: "Gyre",

  navigation: {
    label: "Main",
    skip: "Skip to content",
    open: "Open navigation",
    close: "Close navigation",
    newQuestion: "New question",
    ask: "Ask",
    documents: "Documents",
    interactions: "Interactions",
  },

  theme: {
    label: "Appearance",
    system: "As the system",
    light: "Light",
    dark: "Dark",
  },

  actions: {
    close: "Close",
    cancel: "Cancel",
    save: "Save",
    send: "Send",
    retry: "Try again",
    reload: "Load the page again",
    more: "Load more",
    loading: "Loading",
    dismiss: "Dismiss",
    clearFilters: "Clear filters",
    copied: "Copied",
    copyRefused:
      "The browser lets no page copy over plain http from another machine. Select the text and copy it.",
  },

  errors: {
    title: "That did not work",
    offline: "Gyre cannot be reached. Check that it runs, then try again.",
    cut: "The connection broke in the middle. What came is above; ask again for the whole.",
    unknown:
      "Something went wrong that nobody foresaw. Try again; if it stays, look at the gateway's log.",
    pageMissing: "There is no such page",
    pageMissingHint: "The address may be misspelt, or what it showed is gone.",
    toStart: "Go to Ask",
    codeMissing:
      "This part of the console could not be loaded. It may have been updated meanwhile.",
    requestId: (id: string) => `Request ${id}`,
  },

  connection: {
    offline: "Gyre cannot be reached. This page goes on by itself as soon as it answers.",
    away: (names: string[]) =>
      `${names.length === 1 ? "One service does" : `${names.length} services do`} not answer: ${names.join(", ")}. ` +
      "What needs them waits; the rest works.",
    recovered: "Everything answers again.",
  },

  identity: {
    open: "Who you are",
    title: "Who you are",
    intro:
      "Documents, questions and votes belong to a tenant; groups decide which documents you may read.",
    actor: "Name",
    actorHint: "Made for this browser. Questions and votes are recorded under it.",
    tenant: "Tenant",
    tenantHint: "Lower-case letters, digits and dashes.",
    groups: "Groups",
    groupsHint: "Separate them with commas. Without any you read what everyone may.",
    noGroups: "no groups",
    bound: "Your key says so.",
    signOut: "Sign out",
    changed: "From now on you act as this one.",
  },

  signIn: {
    title: "Sign in to Gyre",
    intro: "This server asks for a key. Whoever runs it can give you one.",
    key: "Key",
    submit: "Sign in",
    refused: "This is not one of the server's keys. Check it and try again.",
  },

  time: {
    now: "just now",
  },

  ask: {
    title: "Ask",
    reading: "Reading your documents",
    welcome: "What do you want to know?",
    question: "Question",
    promise: "Every sentence of an answer names the passage it rests on.",
    placeholder: "Ask your documents",
    followUp: "Ask a follow-up",
    keys: "Enter to ask · Shift + Enter for a new line",
    tooLong: (n: number) =>
      `${count(n, "character", "characters")} too many. Shorten the question.`,
    send: "Ask",
    stop: "Stop",
    only: (title: string) => `Only from “${title}”`,
    anyDocument: "Ask all documents again",
    suggestions: "You could ask",
    ownQuestions: [
      "When does an answer count as given?",
      "Why does only the release controller write releases?",
      "Which user can analysts use?",
    ],
    about: (title: string) => `What does “${title}” say?`,
    addFirst:
      "There are no documents yet. Add some, and every answer will name the passages it rests on.",
    addDocuments: "Add documents",

    sources: "Sources",
    source: (n: number, title: string) => `Source ${n}: ${title}`,
    allPassages: (n: number) => `All ${count(n, "passage", "passages")} read`,
    alsoRead: "Read as well",
    alsoReadHint: "These passages were found for the question. The answer does not rest on them.",
    openDocument: "Open document",
    original: "Original",
    explored: "tried out",
    votePassage: "Does this passage help?",
    passageUp: "This passage helps",
    passageDown: "This passage does not help",

    abstained: "The documents do not answer this.",
    missing: (words: string[]) => `No passage that was read mentions ${list(words)}.`,
    abstainedHint:
      "The passages that come nearest are below. Word the question as the documents would, or add a document that answers it.",
    nothingRead:
      "No passage fits the question, or none that you may read. Word it as the documents would, or add a document that answers it.",
    nearest: "Nearest passages",

    actions: "This answer",
    up: "Good answer",
    down: "Bad answer",
    correct: "Correct this answer",
    correctHint:
      "Write it as it should have been. It is kept as a correction and teaches later versions.",
    keepCorrection: "Keep correction",
    correctionKept: "Your correction is kept.",
    corrected: "Your correction",
    showOriginal: "Show the original",
    showCorrection: "Show your correction",
    copy: "Copy with sources",
    copyLink: "Copy link to this conversation",
    copied: "Copied",
    copyRefused:
      "The browser lets no page copy over plain http from another machine. Select the text and copy it.",
    regenerate: "Answer again",
    story: "How this answer came about",
    whyUp: "What was good?",
    whyDown: "What was wrong?",
    reasons: {
      up: ["Right", "Complete", "Well put", "Good sources"],
      down: ["Wrong", "Incomplete", "Not in the sources", "Outdated", "Beside the question"],
    },
    ownWords: "In your own words",
    thanks: "Thank you. Your words are kept with the answer.",

    failed: "No answer came",
    stopped: "Stopped",
    broken: "The answer broke off",
    complete: (n: number) => `The answer is complete, with ${count(n, "source", "sources")}.`,
    conversationMissing: "Nothing is on record of this conversation",
    conversationMissingHint:
      "It may belong to another tenant, rest on documents that you may not read, or be too old.",
  },

  documents: {
    title: "Documents",
    add: "Add files",
    paste: "Paste text",
    search: "Search titles and names",
    list: "Documents",
    columns: {
      document: "Document",
      state: "State",
      readers: "Who may read it",
      passages: "Passages",
      changed: "Changed",
    },
    anyState: "All but deleted",
    states: {
      DOCUMENT_STATE_UNSPECIFIED: "On its way",
      DOCUMENT_STATE_INDEXED: "Searchable",
      DOCUMENT_STATE_REJECTED: "Turned away",
      DOCUMENT_STATE_DELETED: "Deleted",
    },
    leaving: "Being deleted",
    everyone: "Everyone",
    everyoneOf: (tenant: string) => `Everyone in “${tenant}”`,
    passages: (n: number) => count(n, "passage", "passages"),
    drop: "Drop to add",
    dropHint: "Files, or folders with all that is in them",
    empty: "There are no documents yet",
    emptyHint:
      "Add text, Markdown or HTML: drop files or folders anywhere on this page. A few seconds later questions are answered from them.",
    noneFits: "No document fits",
    noneFitsHint: "Search for other words, or look at documents in any state.",

    addTitle: (n: number) => `Add ${count(n, "document", "documents")}`,
    andMore: (n: number) => `and ${n.toLocaleString("en")} more`,
    hidden: (n: number) =>
      n === 1
        ? "1 hidden file or folder is left out."
        : `${n} hidden files or folders are left out.`,
    nothingDropped: "There was no file in what was dropped.",
    replaces: "A document that is already here under the same name is replaced.",
    pasteTitle: "Add a text",
    textTitle: "Title",
    text: "Text",
    textHint: "Plain text or Markdown.",
    textName: (name: string) => `It is kept under the name ${name}.`,

    access: "Who may read",
    accessGroups: "Only these groups",
    groups: "Groups",
    groupsHint: "Separate them with commas.",
    yourGroups: "Your groups",
    groupsMissing: "Name at least one group.",
    notYours:
      "You are in none of these groups: you will not see what you add, and answers to you will not rest on it.",

    uploads: "What you add",
    adding: (n: number) => `Adding ${count(n, "document", "documents")}`,
    added: (n: number) => `${count(n, "document", "documents")} searchable`,
    progress: (done: number, all: number) =>
      `${done.toLocaleString("en")} of ${all.toLocaleString("en")} done`,
    notAdded: (n: number) =>
      n ? `${count(n, "document", "documents")} could not be added: below is why.` : "",
    stop: "Stop",
    clear: "Clear",
    shown: {
      all: "All",
      going: "On their way",
      searchable: "Searchable",
      rejected: "Not added",
    },
    upload: {
      waiting: "Waiting",
      sending: (percent: number) => `Sending, ${percent} %`,
      accepted: "Being read and indexed",
      searchable: "Searchable",
      rejected: "Turned away",
      failed: "Could not be added",
      stopped: "Stopped",
    },
    unseen: "Accepted. You are in none of its groups, so you do not see it.",
    unreadable:
      "The file cannot be read: it was changed, moved or locked after you chose it. Add it again.",

    reasons: {
      no_content: "It came without content.",
      several_contents: "It came with more than one content.",
      empty: "There is no text in it.",
      too_large: "It is too large.",
      bad_base64: "Its content was garbled on the way.",
      bad_encoding: "Its characters cannot be read.",
      unsupported_media_type: "Files of this kind cannot be read.",
      media_type_mismatch: "It is not what it says it is.",
      uri_not_allowed: "It lies where Gyre may not read.",
      content_not_found: "There is nothing at the place that it points to.",
      corrupt: "It is damaged, or too hard to read.",
    } as Record<string, string>,
    unknownReason: "It was turned away.",
    olderStays: "What was searchable of it before still is.",

    ask: "Ask about this document",
    open: "Open the original",
    delete: "Delete",
    deleteNamed: (name: string) => `Delete ${name}`,
    deleteTitle: "Delete this document?",
    deleteHint: (name: string) =>
      `“${name}” leaves search within seconds, and no new answer rests on it. Answers that were given keep the passages they rest on. To have it back you would have to add it again.`,
    deleted: (name: string) => `“${name}” is being deleted.`,
    missing: "There is no such document",
    missingHint:
      "It was never added, its name is misspelt, or it is for groups that you are not in.",
    onItsWay: "A new version of it is on its way.",
    name: "Name",
    copyName: "Copy the name",
    facts: "About it",
    type: "Format",
    source: "Source",
    revision: "Revision",
    digest: "Digest of the content",
    copyDigest: "Copy the digest",
    encoder: "Encoder version",
    index: "Index",
    metadata: "Metadata",
    timeline: "What happened",
    submitted: "Submitted",
    after: (time: string) => `after ${time}`,
    events: {
      DOCUMENT_STATE_UNSPECIFIED: "On its way",
      DOCUMENT_STATE_INDEXED: "Searchable",
      DOCUMENT_STATE_REJECTED: "Turned away",
      DOCUMENT_STATE_DELETED: "Deleted",
    },
  },
};
