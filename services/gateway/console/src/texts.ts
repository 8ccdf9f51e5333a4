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
};
