/**
 * The controls of playing: play and pause, speed, filled gaps, skipped clouds, and the panel of all other choices.
 */
import { indexesBetween, parseSpan } from "../base/dates.js";
import { intent, isGapFilled, timeDomain } from "../base/state.js";
import { percent, text } from "../base/text.js";
import { effect } from "../vendor/signals-core.js";
import { makeElement, makeLabelled } from "./fields.js";
import { parseTyped } from "./month.js";
import {
	CLOUDY_PERCENT,
	chooseRange,
	fps,
	frameStep,
	frames,
	isLooping,
	isPlaying,
	isRangeWhole,
	isReversed,
	maxCloud,
	playRange,
	SAFE_FPS,
	togglePlay,
} from "./playback.js";
import { makePopover, toggleBy } from "./popover.js";
import { hasCubes } from "./shares.js";

const SPEEDS = [0.5, 1, 2, 4, 6, 8, 12, 20, 30];
const STEPS = [1, 2, 3, 4, 6, 12, 36, 73];
/** What the other controls take of a row; where there is less room, the choices are in the panel. */
const OTHERS_PX = 460;

/** @param {{ play: HTMLButtonElement, options: HTMLButtonElement, host: HTMLElement, zoom: HTMLElement }} parts `host` is where the choices stand that are always in sight */
export function startPlayer({ play, options, host, zoom }) {
	followPlay(play);
	const section = /** @type {HTMLElement} */ (host.closest("section"));
	const panel = makePopover("play-options", { label: text("play.options"), host: section });
	const inSight = makeElement("div", { className: "play-choices" });
	inSight.append(makeSpeed(), makeGaps(), makeSkip());
	panel.element.append(makeRange(), makeStep(), makeCloud(), makeFlags(), makeWarning(), makeCount());
	const zoomRow = makeElement("div", { className: "choice" });
	zoomRow.append(makeElement("span", { textContent: text("time.zoom") }));
	host.append(inSight);
	/** Of the choices, side by side. */
	let natural = 0;
	new ResizeObserver(([{ contentRect }]) => {
		if (contentRect.width === 0) return;
		if (inSight.parentElement === host) natural = inSight.offsetWidth;
		if (contentRect.width < natural + OTHERS_PX) {
			zoomRow.append(zoom);
			panel.element.prepend(inSight, zoomRow);
		} else {
			zoomRow.remove();
			host.append(inSight);
			options.before(zoom);
		}
	}).observe(section);
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
 * A check box that shows a signal. @param {string} words @param {() => boolean} read @param {(isOn: boolean) => void} write
 */
function makeCheck(words, read, write) {
	const { label, field } = makeLabelled(words, makeElement("input", { type: "checkbox" }));
	const row = makeElement("div", { className: "check" });
	row.append(field, label);
	field.addEventListener("change", () => write(field.checked));
	effect(() => {
		field.checked = read();
	});
	return row;
}

/** A list of numbers that shows a signal; a number that is not in the list, as of a link, is added. @param {string} words @param {number[]} values @param {{ value: number }} of @param {(value: number) => string} write */
function makeList(words, values, of, write) {
	const { label, field } = makeLabelled(words, makeElement("select", {}));
	const row = makeElement("div", { className: "choice" });
	row.append(label, field);
	field.addEventListener("change", () => {
		of.value = Number(field.value);
	});
	effect(() => {
		const all = [...new Set([...values, of.value])].sort((a, b) => a - b);
		field.replaceChildren(...all.map((each) => new Option(write(each), String(each), false, each === of.value)));
	});
	return { row, label };
}

function makeSpeed() {
	const { row, label } = makeList(text("play.speed"), SPEEDS, fps, (each) => text("play.fps", { fps: each }));
	label.className = "unseen";
	return row;
}

const makeStep = () => makeList(text("play.step"), STEPS, frameStep, (count) => text("play.everyDate", { count })).row;

/** Only of numbers can gaps be filled. */
function makeGaps() {
	const row = makeCheck(
		text("play.fillGaps"),
		() => isGapFilled.value,
		(isOn) => {
			isGapFilled.value = isOn;
			// Gaps are filled from other dates.
			if (isOn) intent.value = intent.peek() + 1;
		},
	);
	row.title = text("play.fillGapsMeans");
	effect(() => {
		row.hidden = !hasCubes.value;
	});
	return row;
}

const makeSkip = () =>
	makeCheck(
		text("play.skipCloudy"),
		() => maxCloud.value < 100,
		(isOn) => {
			maxCloud.value = isOn ? CLOUDY_PERCENT : 100;
		},
	);

/** How cloudy a date may be to be played. */
function makeCloud() {
	const { label, field } = makeLabelled(
		text("play.maxCloud"),
		makeElement("input", {
			type: "range",
			min: "0",
			max: "100",
			step: "5",
		}),
	);
	const shown = makeElement("output", {});
	const row = makeElement("div", { className: "choice wide" });
	row.append(label, shown, field);
	field.addEventListener("input", () => {
		maxCloud.value = Number(field.value);
	});
	effect(() => {
		field.value = String(maxCloud.value);
		shown.value = percent(maxCloud.value / 100);
		field.setAttribute("aria-valuetext", shown.value);
	});
	return row;
}

/** The period that is played: two dates that are typed as in the calendar. */
function makeRange() {
	const row = makeElement("div", { className: "choice wide range" });
	const from = makeDate(text("play.from"));
	const to = makeDate(text("play.to"));
	const all = makeElement("button", { type: "button", textContent: text("play.allDates") });
	const fault = makeElement("p", { className: "fault", role: "alert", id: "play-range-fault" });
	row.append(from.label, to.label, from.field, to.field, all, fault);
	const choose = () => {
		const [start, end] = [from, to].map(({ field }) => parseTyped(field.value));
		from.field.ariaInvalid = String(start === null);
		to.field.ariaInvalid = String(end === null);
		if (start === null || end === null) fault.textContent = text("calendar.notADate");
		else if (isBackward(start, end)) fault.textContent = text("play.endBeforeStart");
		else if (!indexesBetween(timeDomain.peek().instants, start, end)) fault.textContent = text("play.noneBetween");
		else {
			fault.textContent = "";
			chooseRange(start, end);
		}
	};
	for (const { field } of [from, to]) {
		field.setAttribute("aria-describedby", fault.id);
		field.addEventListener("change", choose);
	}
	all.addEventListener("click", () => chooseRange(undefined, undefined));
	effect(() => {
		const { instants } = timeDomain.value;
		if (instants.length === 0) return;
		const { first, last } = playRange.value;
		[from.field.value, to.field.value] = [first, last].map((index) => isoDay(instants[index].ms));
		from.field.ariaInvalid = to.field.ariaInvalid = "false";
		fault.textContent = "";
		all.disabled = isRangeWhole.value;
	});
	return row;
}

/** Whether a date ends before another begins. @param {string} start @param {string} end */
const isBackward = (start, end) => (parseSpan(end)?.end ?? 0) <= (parseSpan(start)?.start ?? 0);

/** @param {string} words */
const makeDate = (words) =>
	makeLabelled(words, makeElement("input", { type: "text", autocomplete: "off", spellcheck: false }));

/** @param {number} ms */
const isoDay = (ms) => new Date(ms).toISOString().slice(0, 10);

function makeFlags() {
	const row = makeElement("div", { className: "flags" });
	row.append(
		makeCheck(
			text("play.loop"),
			() => isLooping.value,
			(isOn) => {
				isLooping.value = isOn;
			},
		),
		makeCheck(
			text("play.backwards"),
			() => isReversed.value,
			(isOn) => {
				isReversed.value = isOn;
			},
		),
	);
	return row;
}

/** That fast pictures may flash. */
function makeWarning() {
	const warning = makeElement("p", { className: "warning", role: "status" });
	effect(() => {
		warning.hidden = fps.value <= SAFE_FPS;
		warning.textContent = warning.hidden ? "" : text("play.flashes");
	});
	return warning;
}

/** How many dates are played. */
function makeCount() {
	const count = makeElement("p", { className: "hint" });
	effect(() => {
		count.textContent = text("play.frames", { count: frames.value.length, all: timeDomain.value.instants.length });
	});
	return count;
}
