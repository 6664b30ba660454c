/** Parts of the viewer that are loaded later: when they start, and the message if some cannot be loaded. */

import { computed, effect, signal } from "../vendor/signals-core.js";
import { until } from "./delays.js";
import { catalogue, dismiss, layers, notify, tileProgress, timeDomain } from "./state.js";
import { text } from "./text.js";

/**
 * Maximum wait for the first picture; over a slow connection, three times the time of page, script and first answers.
 */
const FIRST_VIEW_MS = 4000;
const SLOWEST_VIEW_MS = 60_000;
const NOTICE = "parts";

/** Whether the first picture is shown or no longer awaited; other parts are loaded from then on. */
export const isFirstViewOver = signal(false);

/** Whether there is a picture, or will be none. */
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

/** Loads the scripts of all parts when the browser is idle. */
function fetchAhead() {
	if (/** @type {any} */ (window.navigator).connection?.saveData) return;
	const wait = window.requestIdleCallback ?? window.setTimeout;
	wait(() => {
		for (const link of document.querySelectorAll("link[rel=later]")) link.setAttribute("rel", "modulepreload");
	});
}

/** Waits for the first picture; the first press of the user ends the wait. */
export function startFirstView() {
	const end = () => {
		isFirstViewOver.value = true;
	};
	for (const kind of ["pointerdown", "keydown", "focusin"]) window.addEventListener(kind, end, { once: true });
	const limitMs = Math.min(SLOWEST_VIEW_MS, Math.max(FIRST_VIEW_MS, 3 * performance.now()));
	void until(() => isSettled.value, undefined, limitMs).then(end);
	// For tests, which watch the page.
	effect(() => {
		document.documentElement.toggleAttribute("data-loading", isLoading.value);
	});
	void until(() => !isLoading.value).then(fetchAhead);
}

/** Functions that start the parts that could not be loaded, by name. @type {Map<string, () => unknown>} */
const missing = new Map();

/**
 * Runs work that loads a part, unless it is already running.
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
 * Loads and starts a part, unless it is being loaded. Failures of all parts share one message, which offers to try
 * again.
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
