// Every page of the console, one line each: its address, its place in the navigation, its code.
import MessageCircle from "@lucide/svelte/icons/message-circle-question-mark";
import FileText from "@lucide/svelte/icons/file-text";
import ChartLine from "@lucide/svelte/icons/chart-line";
import RefreshCw from "@lucide/svelte/icons/refresh-cw";
import History from "@lucide/svelte/icons/history";
import FolderSync from "@lucide/svelte/icons/folder-sync";
import type { Component } from "svelte";
import type { Params } from "../routes.ts";
import { texts } from "../texts.ts";

export interface PageProps {
  params: Params;
}

export interface PageEntry {
  /** `:name` is one segment of the address, `*name` all the rest. */
  path: string;
  load: () => Promise<{ default: Component<PageProps> | Component<Record<string, never>> }>;
  /** Only those with a label stand in the navigation; others belong to the entry of `section`. */
  label?: string;
  icon?: Component;
  section?: string;
}

const ask = () => import("./ask/AskPage.svelte");

export const pages: PageEntry[] = [
  { path: "/", load: ask, label: texts.navigation.ask, icon: MessageCircle },
  { path: "/conversations/:id", load: ask, section: "/" },
  {
    path: "/documents",
    load: () => import("./documents/DocumentsPage.svelte"),
    label: texts.navigation.documents,
    icon: FileText,
  },
  {
    path: "/documents/*id",
    load: () => import("./documents/DocumentPage.svelte"),
    section: "/documents",
  },
  {
    path: "/sources",
    load: () => import("./sources/SourcesPage.svelte"),
    label: texts.navigation.sources,
    icon: FolderSync,
  },
  {
    path: "/interactions",
    load: () => import("./interactions/InteractionsPage.svelte"),
    label: texts.navigation.interactions,
    icon: History,
  },
  {
    path: "/interactions/:id",
    load: () => import("./interactions/StoryPage.svelte"),
    section: "/interactions",
  },
  {
    path: "/loop",
    load: () => import("./loop/LoopPage.svelte"),
    label: texts.navigation.loop,
    icon: RefreshCw,
  },
  { path: "/runs/:id", load: () => import("./loop/RunPage.svelte"), section: "/loop" },
  { path: "/releases/*role", load: () => import("./loop/ReleasePage.svelte"), section: "/loop" },
  {
    path: "/charts",
    load: () => import("./charts/ChartsPage.svelte"),
    label: texts.navigation.charts,
    icon: ChartLine,
  },
  {
    path: "/dead-letters/:topic",
    load: () => import("./charts/DeadLettersPage.svelte"),
    section: "/charts",
  },
];
