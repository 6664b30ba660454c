/**
 * The dates of a layer.
 *
 * @typedef {{ times: string[], ends: (string | null)[] }} Times RFC 3339; `ends` has the first instant after each
 *   day or period, null for an exact instant
 */
import { toInstant } from "../../../viewer/base/dates.js";
import { fetchJson, urlOf } from "./request.js";

const MOST_TIMES = 1000;

/**
 * All dates of a layer, page by page.
 * @param {string} server
 * @param {string} id
 * @param {AbortSignal} [signal]
 * @param {import("./credential.js").Credential | null} [credential]
 * @returns {Promise<Times>}
 */
export async function fetchTimes(server, id, signal, credential) {
	const url = urlOf(server, `layers/${encodeURIComponent(id)}/times`, { limit: MOST_TIMES });
	/** @type {Times} */
	const all = { times: [], ends: [] };
	while (true) {
		const page = await fetchJson(url, signal, credential);
		all.times.push(...page.times);
		// Older servers do not send them.
		all.ends.push(...(page.ends ?? page.times.map(() => null)));
		if (page.next === null || page.times.length === 0) return all;
		// Behind a proxy the page may be unable to reach the host of the link.
		url.search = new URL(page.next, url).search;
	}
}

/** @param {Times} times */
export const instantsOf = ({ times, ends }) => times.map((time, index) => toInstant(time, ends[index]));
