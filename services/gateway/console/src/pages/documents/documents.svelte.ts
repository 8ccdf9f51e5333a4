// The list of documents, and what is leaving it.
import { SvelteSet } from "svelte/reactivity";
import { api } from "../../api.ts";
import { ApiError } from "../../errors.ts";
import { PagedList } from "../../loading.svelte.ts";
import type { DocumentFilters, DocumentStatus } from "../../messages.ts";
import { router } from "../../router.svelte.ts";

export const documents = new PagedList<DocumentStatus, DocumentFilters>({
  query: () => ({
    search: router.place.query.get("search") ?? "",
    state: router.place.query.get("state") ?? "",
  }),
  load: (page) => api.documents({ ...page, duplicates: true }),
  key: ({ document_id }) => document_id,
});

/** Ids of documents that are being deleted. */
export const leaving = new SvelteSet<string>();

const PAUSE = 1_000;
const MOST_PAUSES = 120;

/** Deletes a document; resolves once that is safe, and goes on to watch until it is gone. Raises
 * ApiError. */
export async function remove(documentId: string): Promise<void> {
  await api.deleteDocument(documentId);
  leaving.add(documentId);
  void untilGone(documentId).finally(() => leaving.delete(documentId));
}

async function untilGone(documentId: string): Promise<void> {
  for (let pauses = 0; pauses < MOST_PAUSES; pauses++) {
    await new Promise((resolve) => setTimeout(resolve, PAUSE));
    try {
      const { state } = await api.document(documentId);
      if (state === "DOCUMENT_STATE_DELETED") return documents.drop(documentId);
    } catch (error) {
      if (error instanceof ApiError && error.status === 404) return documents.drop(documentId);
    }
  }
}
