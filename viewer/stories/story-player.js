/** A story that is played: its views one after the other, with their notes over a corner of the map. */
import { fetchStory, Problem } from "../base/api.js";
import { make, makeIconButton, makeWordButton } from "../base/elements.js";
import { dropStory, parseLink, readAddress, storyOfAddress } from "../base/permalink.js";
import { applyLink, followLink, joinLink, notify, tileProgress } from "../base/state.js";
import { readStored, store } from "../base/stored.js";
import { text } from "../base/text.js";
import { effect, signal } from "../vendor/signals-core.js";
import { formatStory, MAX_FILE, MAX_VIEWS, parseStory, readingMs, unpackStory, viewLink } from "./story.js";

/** @typedef {import("./story.js").Story} Story */

/** The current story, and its file on the server. */
const played = signal(/** @type {{ story: Story, index: number, from?: string } | null} */ (null));
/** Whether views follow each other automatically. */
const isRunning = signal(false);
const TAKES_PAGES = "input, select, textarea, dialog, [role=slider], [role=grid]";

const STORED_AS = "chronotile.story";

/** The views that this browser keeps. */
export const saved = signal(parseStory(readStored(STORED_AS) ?? "") ?? { title: "", views: [] });

/** Stores a story instead of the old one. @param {Story} story @returns {boolean} false if there is no space */
export function keep(story) {
	const written = formatStory(story);
	if (story.views.length > MAX_VIEWS || written.length > MAX_FILE || !store(STORED_AS, written)) return false;
	saved.value = story;
	return true;
}

let isStarted = false;

/** Plays the story of the address, and stories that are opened later. */
export function startPlayer() {
	if (isStarted) return;
	isStarted = true;
	const frame = /** @type {HTMLElement} */ (document.querySelector(".stage"));
	joinLink({ write: () => ({ story: played.value?.from }), read: ({ story }) => void openFrom(story) });
	effect(() => {
		const now = played.value;
		if (!now) return;
		const card = makeCard(now);
		const hadFocus = document.activeElement?.closest(".story") !== null && document.activeElement !== document.body;
		const name = /** @type {HTMLElement | null} */ (document.activeElement)?.dataset.part;
		frame.querySelector(".story")?.remove();
		frame.append(card);
		const again = card.querySelector(`[data-part="${hadFocus ? name : "next"}"]:not(:disabled)`);
		/** @type {HTMLElement} */ (again ?? card.querySelector("[data-part=close]")).focus();
	});
	effect(() => {
		const now = played.value;
		if (!now || !isRunning.value) return;
		let waiting = window.setTimeout(function goOn() {
			// Views that are still loading are not skipped.
			if (tileProgress.peek().phase === "shown") show(now.index + 1);
			else waiting = window.setTimeout(goOn, 1000);
		}, readingMs(now.story.views[now.index]));
		return () => window.clearTimeout(waiting);
	});
	document.addEventListener("keydown", (event) => {
		const step = { PageDown: 1, PageUp: -1 }[event.key];
		if (!played.peek() || !step || event.defaultPrevented) return;
		if (event.target instanceof Element && event.target.closest(TAKES_PAGES)) return;
		event.preventDefault();
		show(/** @type {{ index: number }} */ (played.peek()).index + step);
	});
}

/** @param {string} [path] of a file of the server */
async function openFrom(path) {
	const packed = storyOfAddress();
	if (played.peek() || (path === undefined && packed === null)) return;
	try {
		const story = path === undefined ? await unpackStory(packed ?? "") : parseStory(await fetchStory(path));
		openStory(story, 0, path);
	} catch (error) {
		notify("story", text("stories.notRead", { why: error instanceof Problem ? error.message : String(error) }));
	}
}

/**
 * Plays a story.
 * @param {Story | null} story null if it is invalid
 * @param {number} [index] of its first view
 * @param {string} [from]
 */
export function openStory(story, index = 0, from = undefined) {
	if (!story || story.views.length === 0) {
		notify("story", text("stories.notRead", { why: text("stories.notOne") }));
		return;
	}
	startPlayer();
	played.value = { story, index, from };
	show(index);
}

/** Shows a view of the current story. @param {number} index */
function show(index) {
	const now = played.peek();
	const view = now?.story.views[index];
	if (!now || !view) {
		isRunning.value = false;
		return;
	}
	played.value = { ...now, index };
	const { theme, embed, ui, story, ...address } = readAddress().link;
	if (viewLink(address) === view.link) return;
	const nextLink = { ...parseLink(view.link).link, theme, embed, ui, story };
	applyLink(nextLink);
	void followLink(nextLink);
}

function close() {
	document.querySelector(".story")?.remove();
	isRunning.value = false;
	played.value = null;
	dropStory();
	document.getElementById("map")?.focus();
}

/** @param {{ story: Story, index: number }} played */
function makeCard({ story, index }) {
	const view = story.views[index] ?? story.views[0];
	const step = (
		/** @type {string} */ icon,
		/** @type {import("../base/text.js").TextKey} */ key,
		/** @type {number} */ by,
	) =>
		makeIconButton(icon, text(key), () => show(index + by), {
			"data-part": by < 0 ? "previous" : "next",
			disabled: !story.views[index + by],
		});
	const toggle = () => {
		isRunning.value = !isRunning.peek();
		run.setAttribute("aria-pressed", String(isRunning.peek()));
	};
	const pressed = { "data-part": "run", "aria-pressed": String(isRunning.peek()) };
	const run = makeIconButton("play", text("stories.run"), toggle, pressed);
	const savedStory = saved.peek();
	const isKept = story === savedStory;
	const keepAll = () => {
		const isDone = keep({ title: savedStory.title || story.title, views: [...saved.peek().views, ...story.views] });
		notify("story", text(isDone ? "stories.kept" : "stories.full"));
	};
	const position = text("stories.position", { number: index + 1, count: story.views.length });
	const onkeydown = (/** @type {KeyboardEvent} */ event) => event.key === "Escape" && close();
	const end = makeIconButton("close", text("stories.end"), close, { "data-part": "close" });
	const notes = make("p", { class: "story-text" }, view.text);
	const [back, next] = [step("chevron-left", "stories.previous", -1), step("chevron-right", "stories.next", 1)];
	const keepButton = isKept ? [] : [makeWordButton("pin", text("stories.keep"), keepAll)];
	return make(
		"section",
		{ class: "story", "aria-label": story.title || text("stories.title"), onkeydown },
		make("header", {}, make("p", { class: "hint" }, story.title), end),
		make("div", { "aria-live": "polite", tabindex: 0 }, make("h2", {}, view.title), notes),
		make("footer", {}, back, make("span", {}, position), next, run, ...keepButton),
	);
}
