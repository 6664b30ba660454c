/** Text filter of layers. Pure. */

/** Removes accents and capitals, so that "evapo" matches "évapo". @param {string} text */
const plain = (text) => text.normalize("NFD").replace(/\p{M}/gu, "").toLowerCase();

/**
 * Whether the names of a layer contain each word of a filter.
 * @param {Pick<import("../base/api.js").Layer, "id" | "title" | "collection" | "collection_title" | "variable">} of
 * @param {string} filter
 */
export function matches({ id, title, collection, collection_title: collectionTitle = "", variable }, filter) {
	const known = plain([id, title, collection, collectionTitle, variable ?? ""].join(" "));
	return plain(filter)
		.split(/\s+/)
		.every((word) => known.includes(word));
}
