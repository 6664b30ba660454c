/** The parts of the viewer that are loaded later: what they wait for, and what is told when some cannot be loaded. */

import { computed, effect, signal } from "../vendor/signals-core.js";
import { until } from "./delays.js";
import { catalogue, dismiss, layers, notify, tileProgress, timeDomain } from "./state.js";
import { text } from "./text.js";

/**
 * The first picture is waited for no longer; over a slow line three times as long as page, script and first answers
 * took.
 */
const FIRST_VIEW_MS = 4000;
const SLOWEST_VIEW_MS = 60_000;
const NOTICE = "parts";

/** Whether the first picture is on the map, or is waited for no more: what it does not need is loaded from then on. */
export const isFirstViewOver = signal(false);

/** Whether there is a picture, or there will be none. */
const isSettled = computed(
	() =>
		tileProgress.value.phase === "shown" ||
		timeDomain.value.phase === "failed" ||
		catalogue.value.phase === "failed" ||
		(catalogue.value.phase === "ready" && layers.value.length === 0),
);

/** Names of the parts that are on their way. */
const coming = signal(/** @type {ReadonlySet<string>} */ (new Set()));

/** Whether parts of the page are still to come. */
export const isLoading = computed(() => !isFirstViewOver.value || coming.value.size > 0);

/** Brings the scripts of parts that nobody has asked for yet, when the browser has nothing else to do. */
function fetchAhead() {
	if (/** @type {any} */ (window.navigator).connection?.saveData) return;
	const wait = window.requestIdleCallback ?? window.setTimeout;
	wait(() => {
		for (const link of document.querySelectorAll("link[rel=later]")) link.setAttribute("rel", "modulepreload");
	});
}

/** Waits for the first picture, but not when the user presses something: then all is wanted. */
export function startFirstView() {
	const end = () => {
		isFirstViewOver.value = true;
	};
	for (const kind of ["pointerdown", "keydown", "focusin"]) window.addEventListener(kind, end, { once: true });
	const limitMs = Math.min(SLOWEST_VIEW_MS, Math.max(FIRST_VIEW_MS, 3 * performance.now()));
	void until(() => isSettled.value, undefined, limitMs).then(end);
	// For those who watch the page from outside.
	effect(() => {
		document.documentElement.toggleAttribute("data-loading", isLoading.value);
	});
	void until(() => !isLoading.value).then(fetchAhead);
}

/** What starts those that could not be loaded, by name. @type {Map<string, () => unknown>} */
const missing = new Map();

/**
 * Does what brings something of the page, unless that is on its way.
 * @param {string} name
 * @param {() => Promise<void>} bring
 */
export async function bringPart(name, bring) {
	if (coming.peek().has(name)) return;
	coming.value = new Set([...coming.peek(), name]);
	await bring();
	coming.value = new Set([...coming.peek()].filter((each) => each !== name));
}

/**
 * Loads and starts a part, unless it is on its way. That it cannot be loaded is told once for all such parts, with what
 * tries all of them again.
 * @param {string} name @param {() => unknown} start
 */
export const startPart = (name, start) =>
	bringPart(name, async () => {
		try {
			await start();
			if (missing.delete(name) && missing.size === 0) dismiss(NOTICE);
		} catch {
			missing.set(name, start);
			notify(NOTICE, text("shell.partFailed"), { label: text("action.tryAgain"), run: tryMissing });
		}
	});

function tryMissing() {
	dismiss(NOTICE);
	const all = [...missing];
	missing.clear();
	for (const [name, start] of all) void startPart(name, start);
}
