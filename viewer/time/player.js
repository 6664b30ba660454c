/** The controls of playing: play and pause, and the panel of all choices. */
import { DATE_FIELD } from "../base/date-field.js";
import { indexesBetween, parseSpan, parseTyped } from "../base/dates.js";
import { make, makeButton } from "../base/elements.js";
import {
	chooseClear,
	chooseGaps,
	gaps,
	isClearOnly,
	isGapFilled,
	layer,
	layers,
	prepareMoves,
	timeDomain,
} from "../base/state.js";
import { text } from "../base/text.js";
import { effect } from "../vendor/signals-core.js";
import {
	chooseAll,
	chooseRange,
	fps,
	frameStep,
	frames,
	isLooping,
	isPlaying,
	isRangeChosen,
	isRangeWhole,
	isReversed,
	playRange,
	SAFE_FPS,
	togglePlay,
} from "./playback.js";
import { makePopover, toggleBy } from "./popover.js";
import { hasCubes } from "./shares.js";

/** Names of some speeds, in frames a second. @type {Record<number, import("../base/text.js").TextKey>} */
const SPEEDS = { 1: "play.slow", 4: "play.normal", 12: "play.fast" };
const STEPS = [1, 2, 3, 6, 12];
/** Narrower windows have room in the panel alone for some of the controls; as in timeline.css. */
const NARROW = window.matchMedia("(max-width: 47.99rem)");

/** @param {{ play: HTMLButtonElement, options: HTMLButtonElement, zoom: HTMLElement }} parts */
export function startPlayer({ play, options, zoom }) {
	followPlay(play);
	const host = /** @type {HTMLElement} */ (options.closest("section"));
	const row = /** @type {HTMLElement} */ (zoom.parentElement);
	const panel = makePopover("play-options", { label: text("play.options"), host });
	const zoomChoice = make("div", { class: "choice" }, make("span", {}, text("time.zoom")));
	panel.element.append(zoomChoice, makeGaps(), makeSpeed(), makeStep(), makeRange(), makeFlags(), ...makeNotes());
	const clear = makeClear();
	const place = () => {
		(NARROW.matches ? zoomChoice : row).append(zoom);
		zoomChoice.hidden = !NARROW.matches;
		if (NARROW.matches) panel.element.prepend(clear);
		else options.after(clear);
	};
	NARROW.addEventListener("change", place);
	place();
	toggleBy(options, panel);
	options.hidden = false;
}

/** @param {HTMLButtonElement} play */
function followPlay(play) {
	play.addEventListener("click", togglePlay);
	effect(() => {
		play.ariaLabel = text(isPlaying.value ? "play.pause" : "play.play");
		play.dataset.playing = String(isPlaying.value);
	});
	effect(() => {
		play.hidden = timeDomain.value.instants.length < 2;
	});
}

/**
 * Makes a check box for a signal.
 * @param {string} words
 * @param {{ value: boolean }} of
 * @param {(isOn: boolean) => void} [choose]
 */
function makeCheck(words, of, choose) {
	const set = (/** @type {boolean} */ isOn) => {
		of.value = isOn;
	};
	const field = make("input", { type: "checkbox", onchange: () => (choose ?? set)(field.checked) });
	effect(() => {
		field.checked = of.value;
	});
	return make("label", { class: "check" }, field, words);
}

/** Makes the switch for layers that a class layer can mask. */
function makeClear() {
	const row = makeCheck(text("clear.only"), isClearOnly, chooseClear);
	effect(() => {
		const by = layer.value?.clear?.layer;
		row.hidden = by === undefined;
		const title = layers.value.find(({ id }) => id === by)?.title ?? by ?? "";
		row.title = text("clear.onlyMeans", { layer: title });
	});
	return row;
}

/**
 * Makes a list for a signal.
 * @template {string | number} T
 * @param {string} words
 * @param {{ value: T }} of
 * @param {() => [value: T, words: string][]} choices reads signals
 * @param {(value: T) => void} [change]
 */
function makeList(words, of, choices, change) {
	let values = /** @type {T[]} */ ([]);
	const choose = () => {
		const value = values[field.selectedIndex];
		if (change) change(value);
		else of.value = value;
	};
	const field = make("select", { onchange: choose });
	effect(() => {
		const all = choices();
		values = all.map(([value]) => value);
		field.replaceChildren(...all.map(([value, name]) => new Option(name, String(value), false, value === of.value)));
	});
	return make("label", { class: "choice" }, words, field);
}

/**
 * Returns numbers in order; the current one, for example from a link, is added if it is missing.
 * @param {readonly number[]} values
 * @param {number} now
 */
const withNow = (values, now) => [...new Set([...values, now])].sort((one, other) => one - other);

const makeSpeed = () =>
	makeList(text("play.speed"), fps, () =>
		withNow(Object.keys(SPEEDS).map(Number), fps.value).map((each) => {
			const rate = text("play.fps", { fps: each });
			return [each, each in SPEEDS ? `${text(SPEEDS[each])} · ${rate}` : rate];
		}),
	);

const makeStep = () =>
	makeList(text("play.step"), frameStep, () =>
		withNow(STEPS, frameStep.value).map((count) => [count, text("play.everyDate", { count })]),
	);

/** Makes the selection for gaps; only gaps of layers with values can be filled. */
function makeGaps() {
	// Gaps are filled from other dates.
	effect(() => {
		if (isGapFilled.value) prepareMoves();
	});
	return makeList(
		text("gaps.title"),
		gaps,
		() => [
			["show", text("gaps.show")],
			...(hasCubes.value ? [/** @type {["last", string]} */ (["last", text("gaps.fill")])] : []),
			["skip", text("gaps.skip")],
		],
		chooseGaps,
	);
}

/** Makes the fields for the range of playback: two dates that are typed as in the calendar. */
function makeRange() {
	const fault = make("p", { class: "fault", role: "alert", id: "play-range-fault" });
	const makeDate = () => make("input", { ...DATE_FIELD, "aria-describedby": fault.id, onchange: () => choose() });
	const [from, to] = [makeDate(), makeDate()];
	const year = makeButton(text("play.thisYear"), () => chooseRange());
	const all = makeButton(text("play.allDates"), chooseAll);
	const choose = () => {
		const [start, end] = [from, to].map(({ value }) => parseTyped(value));
		from.ariaInvalid = String(start === null);
		to.ariaInvalid = String(end === null);
		if (start === null || end === null) fault.textContent = text("calendar.notADate");
		else if (isBackward(start, end)) fault.textContent = text("play.endBeforeStart");
		else if (!indexesBetween(timeDomain.peek().instants, start, end)) fault.textContent = text("play.noneBetween");
		else {
			fault.textContent = "";
			chooseRange(start, end);
		}
	};
	effect(() => {
		const { instants } = timeDomain.value;
		if (instants.length === 0) return;
		const { first, last } = playRange.value;
		[from.value, to.value] = [first, last].map((index) => isoDay(instants[index].ms));
		from.ariaInvalid = to.ariaInvalid = "false";
		fault.textContent = "";
		year.disabled = !isRangeChosen.value;
		all.disabled = isRangeWhole.value;
	});
	const labels = [make("label", {}, text("play.from"), from), make("label", {}, text("play.to"), to)];
	return make("div", { class: "choice range" }, ...labels, year, all, fault);
}

/** Whether a date ends before another starts. @param {string} start @param {string} end */
const isBackward = (start, end) => (parseSpan(end)?.end ?? 0) <= (parseSpan(start)?.start ?? 0);

/** @param {number} ms */
const isoDay = (ms) => new Date(ms).toISOString().slice(0, 10);

const makeFlags = () =>
	make(
		"div",
		{ class: "flags" },
		makeCheck(text("play.loop"), isLooping),
		makeCheck(text("play.backwards"), isReversed),
	);

/** Makes the warning about flashing pictures, and the number of played dates. */
function makeNotes() {
	const warning = make("p", { class: "warning", role: "status" });
	const count = make("p", { class: "hint" });
	effect(() => {
		warning.hidden = fps.value <= SAFE_FPS;
		warning.textContent = warning.hidden ? "" : text("play.flashes");
	});
	// In a separate effect: each change of a status is spoken again.
	effect(() => {
		count.textContent = text("play.frames", { count: frames.value.length, all: timeDomain.value.instants.length });
	});
	return [warning, count];
}
