/** The views that this browser keeps. */
import { readStored, store } from "../base/stored.js";
import { signal } from "../vendor/signals-core.js";
import { formatStory, MAX_FILE, MAX_VIEWS, parseStory } from "./story.js";

/** @typedef {import("./story.js").Story} Story */

const STORED_AS = "chronotile.story";

export const saved = signal(parseStory(readStored(STORED_AS) ?? "") ?? { title: "", views: [] });

/** Keeps a story in place of the one before. @param {Story} story @returns {boolean} false where there is no room */
export function keep(story) {
	const written = formatStory(story);
	if (story.views.length > MAX_VIEWS || written.length > MAX_FILE || !store(STORED_AS, written)) return false;
	saved.value = story;
	return true;
}
