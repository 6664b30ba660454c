/**
 * Stories: views of the map with notes, as a document, a file and the end of an address. They may come from strangers,
 * so all sizes are limited, and links may only have parameters of the viewer; pure.
 *
 * @typedef {{ title: string, text: string, link: string }} View `link` is a query string of the viewer
 * @typedef {{ title: string, views: View[] }} Story
 */

import { formatLink, parseLink } from "../base/permalink.js";
import { jsonOf } from "../base/stored.js";

const TYPE = "chronotile-story";
export const MAX_VIEWS = 100;
export const MAX_TITLE = 120;
export const MAX_TEXT = 3000;
const MAX_LINK = 6000;
/** Maximum length of a file in characters. */
export const MAX_FILE = 1_000_000;
/** Maximum length of a story in an address: programs that forward links cut longer ones. */
const MAX_HASH = 8000;
/** Parameters that the reader chooses, and not the view. */
const OF_READER = { language: undefined, theme: undefined, embed: undefined, ui: undefined, story: undefined };
/** Invisible characters, and those that change the direction of text. */
const UNSEEN = /[^\P{Cc}\n]|[\u202a-\u202e\u2066-\u2069]/gu;

/** @param {unknown} words @param {number} most */
const tidy = (words, most) => (typeof words === "string" ? words.replace(UNSEEN, "").slice(0, most) : "");

/** Returns a link with the parameters of a view only. @param {import("../base/permalink.js").Link} link */
export const viewLink = (link) => formatLink({ ...link, ...OF_READER });

/** Returns the story of a document; null if it is invalid. @param {string} source @returns {Story | null} */
export function parseStory(source) {
	if (source.length > MAX_FILE) return null;
	const document = jsonOf(source);
	if (document?.type !== TYPE || !Array.isArray(document.views)) return null;
	const views = document.views.slice(0, MAX_VIEWS).flatMap((/** @type {any} */ view) => {
		if (typeof view?.link !== "string" || view.link.length > MAX_LINK) return [];
		const link = viewLink(parseLink(view.link).link);
		return [{ title: tidy(view.title, MAX_TITLE), text: tidy(view.text, MAX_TEXT), link }];
	});
	return { title: tidy(document.title, MAX_TITLE), views };
}

/** @param {Story} story */
export const formatStory = (story) => JSON.stringify({ type: TYPE, version: 1, ...story }, null, "\t");

/**
 * @param {Uint8Array<ArrayBuffer>} bytes
 * @param {GenericTransformStream} through
 * @param {number} most
 * @returns {Promise<Uint8Array<ArrayBuffer> | null>} null if the output is longer than `most`
 */
async function passed(bytes, through, most) {
	const parts = [];
	let size = 0;
	const stream = new Blob([bytes]).stream().pipeThrough(through);
	for (const reader = stream.getReader(); ; ) {
		const { done, value } = await reader.read();
		if (done) return new Uint8Array(await new Blob(parts).arrayBuffer());
		size += value.length;
		if (size > most) {
			void reader.cancel();
			return null;
		}
		parts.push(value);
	}
}

/** Returns a story as the end of an address; null if it is too large. @param {Story} story */
export async function packStory(story) {
	const bytes = new TextEncoder().encode(JSON.stringify({ type: TYPE, ...story }));
	const packed = await passed(bytes, new CompressionStream("deflate-raw"), (MAX_HASH * 3) / 4);
	if (!packed) return null;
	return btoa(String.fromCharCode(...packed))
		.replaceAll("+", "-")
		.replaceAll("/", "_")
		.replaceAll("=", "");
}

/** @param {string} text @returns {Promise<Story | null>} */
export async function unpackStory(text) {
	if (text.length > MAX_HASH) return null;
	try {
		const packed = Uint8Array.from(atob(text.replaceAll("-", "+").replaceAll("_", "/")), (each) => each.charCodeAt(0));
		const bytes = await passed(packed, new DecompressionStream("deflate-raw"), MAX_FILE);
		return bytes && parseStory(new TextDecoder().decode(bytes));
	} catch {
		return null;
	}
}

/** Returns the reading time: three words per second, plus four seconds. @param {View} view */
export const readingMs = ({ title, text }) => 4000 + (`${title} ${text}`.split(/\s+/).length / 3) * 1000;
