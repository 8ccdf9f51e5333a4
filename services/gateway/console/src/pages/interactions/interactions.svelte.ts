// The list of interactions.
import { api } from "../../api.ts";
import { PagedList } from "../../loading.svelte.ts";
import type { InteractionFilters, InteractionSummary } from "../../messages.ts";
import { router } from "../../router.svelte.ts";
import { filtersOf } from "./filters.ts";

export const interactions = new PagedList<InteractionSummary, InteractionFilters>({
  query: () => filtersOf(router.place.query),
  load: (page) => api.interactions(page),
  key: ({ interaction_id }) => interaction_id,
});
