/**
 * Playing: what is played, how fast, and the clock that does it.
 *
 * The signals are for all parts (exports take the same frames); they change by the functions below.
 */
import { chooseTime, intent, isMoving, joinLink, notify, sideA, sideB, timeDomain, timeIndex } from "../base/state.js";
import { text } from "../base/text.js";
import { batch, computed, effect, signal } from "../vendor/signals-core.js";
import { pass, until } from "./delays.js";
import { framesOf, nextFrame, rangeOf } from "./frames.js";
import { hasCubes, shares } from "./shares.js";

/** Faster, the flashes of clouds may harm who is sensitive to them (WCAG 2.2, 2.3.1). */
export const SAFE_FPS = 6;
const [DEFAULT_FPS, CALM_FPS] = [4, 2];
/** What "skip cloudy" skips unless a link says otherwise: dates with more than this percentage without data. */
export const CLOUDY_PERCENT = 40;
/** How long playing waits for a date before it asks for it as a single one. */
const MAX_WAIT_MS = 8000;

const calm = window.matchMedia("(prefers-reduced-motion: reduce)");
const usualFps = () => (calm.matches ? CALM_FPS : DEFAULT_FPS);

export const isPlaying = signal(false);
/** Frames a second. */
export const fps = signal(usualFps());
export const isLooping = signal(true);
export const isReversed = signal(false);
/** Every how many dates there is a frame. */
export const frameStep = signal(1);
/** Dates with more than this percentage without data are left out; 100 leaves out none. */
export const maxCloud = signal(100);
/** The ends of what is played, as dates; undefined where it is the layer's. */
export const playFrom = signal(/** @type {string | undefined} */ (undefined));
export const playTo = signal(/** @type {string | undefined} */ (undefined));
/** The date that playing waits for; null while it waits for none. */
export const awaited = signal(/** @type {number | null} */ (null));

/** Ends of what is played, as indexes. */
export const playRange = computed(() => rangeOf(timeDomain.value.instants, playFrom.value, playTo.value));

/** Indexes of the dates that are played. */
export const frames = computed(() =>
	framesOf({ range: playRange.value, step: frameStep.value, maxCloud: maxCloud.value, shares: shares.value }),
);

/** Whether no end of what is played was chosen. */
export const isRangeWhole = computed(() => {
	const { first, last } = playRange.value;
	return first === 0 && last === timeDomain.value.instants.length - 1;
});

/** Whether all dates of the layer are played. */
export const isAllPlayed = computed(() => frames.value.length === timeDomain.value.instants.length);

/** @param {string | undefined} from @param {string | undefined} to dates */
export function chooseRange(from, to) {
	batch(() => {
		playFrom.value = from;
		playTo.value = to;
	});
}

/** The frame that follows the date shown; null when none does. */
const frameAfter = () =>
	nextFrame(frames.peek(), timeIndex.peek(), { isReversed: isReversed.peek(), isLooping: isLooping.peek() });

export function play() {
	if (frames.peek().length < 2) {
		notify("play", text("play.tooFew"));
		return;
	}
	intent.value = intent.peek() + 1;
	// At the end, where there is no loop, it plays from the start.
	if (frameAfter() === null) chooseTime((isReversed.peek() ? frames.peek().at(-1) : frames.peek()[0]) ?? 0);
	isPlaying.value = true;
}

export function pause() {
	isPlaying.value = false;
}

export const togglePlay = () => (isPlaying.peek() ? pause() : play());

/** Goes to a date because a person says so, which ends playing. @param {number} index */
export function goTo(index) {
	pause();
	chooseTime(index);
}

/** Whether all maps show their date. */
const areShown = () => [sideA, sideB.value].every((side) => side?.tileProgress.value.phase !== "loading");

/** Shows one frame after the other until there is none or it is stopped. @param {AbortSignal} stopped */
async function run(stopped) {
	let due = performance.now();
	while (!stopped.aborted) {
		const next = frameAfter();
		if (next === null) return;
		if (hasCubes.peek() && !sideA.loadedTimes.peek().has(next)) {
			awaited.value = next;
			intent.value = intent.peek() + 1;
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

/** Plays while `isPlaying` says so. */
function runClock() {
	effect(() => {
		if (!isPlaying.value) return;
		const stopping = new AbortController();
		isMoving.value = true;
		run(stopping.signal).finally(() => {
			if (!stopping.signal.aborted) pause();
		});
		return () => {
			stopping.abort();
			awaited.value = null;
			isMoving.value = false;
		};
	});
	// Another layer has other dates.
	effect(() => {
		if (timeDomain.value.phase !== "ready") pause();
	});
	document.addEventListener("visibilitychange", () => {
		if (document.hidden) pause();
	});
}

/** Starts playing when the dates are there, if the system does not ask for less motion. */
function playFirst() {
	if (calm.matches) {
		notify("play", text("play.calm"), { label: text("play.play"), run: play });
		return;
	}
	void until(() => timeDomain.value.phase === "ready", new AbortController().signal).then(play);
}

export function startPlayback() {
	runClock();
	joinLink({
		write: () => ({
			from: playFrom.value,
			to: playTo.value,
			play: isPlaying.value || undefined,
			fps: fps.value === usualFps() ? undefined : fps.value,
			loop: isLooping.value ? undefined : false,
			step: frameStep.value === 1 ? undefined : frameStep.value,
			maxcloud: maxCloud.value === 100 ? undefined : maxCloud.value,
		}),
		read: (link) => {
			chooseRange(link.from, link.to);
			fps.value = link.fps ?? usualFps();
			isLooping.value = link.loop ?? true;
			frameStep.value = link.step ?? 1;
			maxCloud.value = link.maxcloud ?? 100;
			if (link.play) playFirst();
			else pause();
		},
	});
}
