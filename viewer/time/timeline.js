/**
 * The time axis: the date and the buttons next to it are present from the start; the strip, playback, the calendar and
 * the year lens are loaded when there are dates, or on first use.
 */

import { formatInstant } from "../base/dates.js";
import { until } from "../base/delays.js";
import { isFirstViewOver, startPart } from "../base/parts.js";
import { chooseTime, instant, layer, prepareMoves, retryTimes, timeDomain, timeIndex } from "../base/state.js";
import { locale, text } from "../base/text.js";
import { effect } from "../vendor/signals-core.js";

/**
 * @typedef {Record<"root" | "message" | "controls" | "date-text" | "note" | "zoom" | "strip", HTMLElement> &
 *   Record<"retry" | "previous" | "next" | "date" | "period" | "play" | "options",
 *     HTMLButtonElement>} Parts of the date selector, as the page names them
 */

/** @param {HTMLElement} root */
export function startTimeline(root) {
	const elements = /** @type {HTMLElement[]} */ ([...root.querySelectorAll("[data-part]")]);
	const parts = /** @type {Parts} */ ({
		root,
		...Object.fromEntries(elements.map((part) => [part.dataset.part, part])),
	});
	let presses = 0;
	const step = (/** @type {-1 | 1} */ dates) => () => {
		chooseTime(timeIndex.peek() + dates);
		presses += 1;
		// After two steps a third is likely: the year is loaded.
		if (presses === 2) prepareMoves();
	};
	parts.previous.addEventListener("click", step(-1));
	parts.next.addEventListener("click", step(1));
	parts.retry.addEventListener("click", () => retryTimes());
	startCalendar(parts.date, parts.period);
	effect(() => showDomain(parts, timeDomain.value, layer.value !== null));
	effect(() => {
		const index = timeIndex.value;
		parts.previous.disabled = index <= 0;
		parts.next.disabled = index >= timeDomain.value.instants.length - 1;
		parts["date-text"].textContent = instant.value ? formatInstant(instant.value, locale(), "short") : "";
	});
	void until(() => timeDomain.value.instants.length > 1 && isFirstViewOver.value).then(() =>
		startPart("time", async () => (await import("./time-controls.js")).startTimeControls(parts)),
	);
}

/** @param {Parts} parts @param {import("../base/state.js").TimeDomain} domain @param {boolean} hasLayer */
function showDomain(parts, { phase, why, instants }, hasLayer) {
	parts.root.hidden = !hasLayer || (phase === "ready" && instants.length === 0);
	parts.root.dataset.phase = phase;
	parts.root.dataset.isSingle = String(phase === "ready" && instants.length < 2);
	parts.message.textContent =
		phase === "failed" ? text("time.failed", { why }) : phase === "loading" ? text("time.loading") : "";
	parts.message.hidden = phase === "ready";
	parts.retry.hidden = phase !== "failed";
	parts.controls.hidden = instants.length === 0;
	parts.strip.hidden = phase === "failed" || (phase === "ready" && instants.length < 2);
}

/**
 * Loads and opens the calendar when its button is first pressed.
 * @param {HTMLButtonElement} button
 * @param {HTMLButtonElement} period opens the menu of periods
 */
function startCalendar(button, period) {
	button.addEventListener("click", (event) => {
		if (!timeDomain.peek().periods) return;
		event.preventDefault();
		event.stopImmediatePropagation();
		period.click();
	});
	const open = async () => {
		const show = (await import("./calendar.js")).startCalendar(button);
		button.removeEventListener("click", bring);
		show();
	};
	const bring = () => void startPart("calendar", open);
	button.addEventListener("click", bring);
}
