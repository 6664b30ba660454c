/**
 * Playback: selection of dates, speed, and clock.
 *
 * The signals are for all parts (exports take the same frames); they change by the functions below.
 */

import { pass, until } from "../base/delays.js";
import {
	chooseGaps,
	chooseTime,
	dismiss,
	expectDate,
	gaps,
	joinLink,
	joinLinkAs,
	notify,
	prepareMoves,
	setMoving,
	sideA,
	sideB,
	timeDomain,
	timeIndex,
} from "../base/state.js";
import { text } from "../base/text.js";
import { batch, computed, effect, signal } from "../vendor/signals-core.js";
import { framesOf, nextFrame, rangeOf, yearRange } from "./frames.js";
import { hasCubes, shares } from "./shares.js";

/** Faster, the flashes of clouds may harm who is sensitive to them (WCAG 2.2, 2.3.1). */
export const SAFE_FPS = 6;
const [DEFAULT_FPS, CALM_FPS] = [4, 2];
/** "skip" omits dates with a smaller fraction of data, relative to the fullest date. */
const CLEAR_SHARE = 0.6;
/** Maximum wait for a date in playback; afterwards it is shown, and so requested alone. */
const MAX_WAIT_MS = 8000;
const NOTICE = "play";

const calm = window.matchMedia("(prefers-reduced-motion: reduce)");
const usualFps = () => (calm.matches ? CALM_FPS : DEFAULT_FPS);

export const isPlaying = signal(false);
/** Frames a second. */
export const fps = signal(usualFps());
export const isLooping = signal(true);
export const isReversed = signal(false);
/** Number of dates per frame. */
export const frameStep = signal(1);
/** First and last date of playback; both undefined: the year of the current date. */
export const playFrom = signal(/** @type {string | undefined} */ (undefined));
export const playTo = signal(/** @type {string | undefined} */ (undefined));
/** The date for which playback waits; null if it does not wait. */
export const awaited = signal(/** @type {number | null} */ (null));

/** Whether a first or last date was chosen. */
export const isRangeChosen = computed(() => playFrom.value !== undefined || playTo.value !== undefined);

/** @param {number} index of a date */
const yearOf = (index) => new Date(timeDomain.value.instants[index]?.ms ?? 0).getUTCFullYear();
const shownYear = computed(() => yearOf(timeIndex.value));

/** Range of playback, as indexes. */
export const playRange = computed(() => {
	const { instants } = timeDomain.value;
	if (isRangeChosen.value) return rangeOf(instants, playFrom.value, playTo.value);
	return yearRange(instants, shownYear.value);
});

/** Whether all dates of the layer are within it. */
export const isRangeWhole = computed(() => {
	const { first, last } = playRange.value;
	return first === 0 && last === timeDomain.value.instants.length - 1;
});

/** Minimum fraction of data of played dates. */
export const leastShare = computed(() => (gaps.value === "skip" ? CLEAR_SHARE : 0));

/** @param {import("./frames.js").Range} range */
const framesIn = (range) => framesOf({ range, step: frameStep.value, least: leastShare.value, shares: shares.value });

/** Indexes of the dates that are played. */
export const frames = computed(() => framesIn(playRange.value));

/** The dates that may be played: of any year, unless a range was chosen. */
export const playable = computed(() =>
	isRangeChosen.value ? frames.value : framesIn({ first: 0, last: timeDomain.value.instants.length - 1 }),
);

/** @param {string} [from] @param {string} [to] dates */
export function chooseRange(from, to) {
	batch(() => {
		playFrom.value = from;
		playTo.value = to;
	});
}

/** Returns the frame after the current date; null if there is none. */
const frameAfter = () =>
	nextFrame(frames.peek(), timeIndex.peek(), { isReversed: isReversed.peek(), isLooping: isLooping.peek() });

/** Plays all existing dates. */
export function chooseAll() {
	const { instants } = timeDomain.peek();
	chooseRange(instants[0].text.slice(0, 10), instants[instants.length - 1].text.slice(0, 10));
}

/** Shows a notice that there is nothing to play, with an action that changes the selection. */
function refuse() {
	const isSkipping = gaps.peek() === "skip";
	const run = () => {
		batch(() => {
			if (isSkipping) chooseGaps("show");
			else {
				frameStep.value = 1;
				chooseAll();
			}
		});
		play();
	};
	const label = text(isSkipping ? "gaps.showThem" : "play.allDates");
	notify(NOTICE, text(isSkipping ? "play.allCloudy" : "play.tooFew"), { label, run });
}

export function play() {
	if (frames.peek().length < 2) return refuse();
	dismiss(NOTICE);
	prepareMoves();
	// At the end, without a loop, it plays from the start.
	if (frameAfter() === null) chooseTime((isReversed.peek() ? frames.peek().at(-1) : frames.peek()[0]) ?? 0);
	isPlaying.value = true;
}

export function pause() {
	isPlaying.value = false;
}

export const togglePlay = () => (isPlaying.peek() ? pause() : play());

/** Goes to a date on request of the user, which stops playback. @param {number} index */
export function goTo(index) {
	pause();
	chooseTime(index);
}

/** Whether all maps show their date. */
const areShown = () => [sideA, sideB.value].every((side) => side?.tileProgress.value.phase !== "loading");

/** Shows frame after frame until there is none or it is stopped. @param {AbortSignal} stopped */
async function run(stopped) {
	let due = performance.now();
	while (!stopped.aborted) {
		const next = frameAfter();
		if (next === null) return;
		if (hasCubes.peek() && !sideA.loadedTimes.peek().has(next)) {
			awaited.value = next;
			prepareMoves();
			await until(() => sideA.loadedTimes.value.has(next), stopped, MAX_WAIT_MS);
			awaited.value = null;
		}
		due = Math.max(due + 1000 / fps.peek(), performance.now());
		await pass(due - performance.now(), stopped);
		if (stopped.aborted) return;
		chooseTime(next);
		if (!areShown()) {
			awaited.value = next;
			await until(areShown, stopped, MAX_WAIT_MS);
			awaited.value = null;
		}
	}
}

/** Plays while `isPlaying` is true. */
function runClock() {
	effect(() => {
		if (!isPlaying.value) return;
		const stopping = new AbortController();
		setMoving(true);
		run(stopping.signal).finally(() => {
			if (!stopping.signal.aborted) pause();
		});
		return () => {
			stopping.abort();
			awaited.value = null;
			setMoving(false);
		};
	});
	// In the last year of a loop the first date is loaded in advance.
	effect(() => {
		if (!isPlaying.value) {
			expectDate(-1);
			return;
		}
		const [first = -1, last = -1] = [frames.value[0], frames.value.at(-1)];
		const [start, end] = isReversed.value ? [last, first] : [first, last];
		expectDate(isLooping.value && shownYear.value === yearOf(end) ? start : -1);
	});
	// Stops when the dates change with the layer.
	effect(() => {
		if (timeDomain.value.phase !== "ready") pause();
	});
	document.addEventListener("visibilitychange", () => {
		if (document.hidden) pause();
	});
}

/** Starts playback when the dates are loaded, unless the system requests reduced motion. */
function playFirst() {
	if (calm.matches) {
		notify(NOTICE, text("play.calm"), { label: text("play.play"), run: play });
		return;
	}
	void until(() => timeDomain.value.phase === "ready").then(play);
}

export function startPlayback() {
	runClock();
	joinLinkAs("loop", isLooping, true);
	joinLinkAs("step", frameStep, 1);
	joinLink({
		write: () => ({
			from: playFrom.value,
			to: playTo.value,
			play: isPlaying.value || undefined,
			fps: fps.value === usualFps() ? undefined : fps.value,
		}),
		read: (link) => {
			chooseRange(link.from, link.to);
			fps.value = link.fps ?? usualFps();
			if (link.play) playFirst();
			else pause();
		},
	});
}
