/**
 * The strip: the slider of dates and its drawing. It draws at most once per frame, and causes no layout then.
 *
 * @typedef {import("./strip/window.js").Window} Window
 * @typedef {import("./strip/strip-painter.js").Colours} Colours
 */

import { DAY_MS, formatInstant, indexOfMoment } from "../base/dates.js";
import { beforeDrawing } from "../base/delays.js";
import { colourReader } from "../base/elements.js";
import { isDark, isMoving, loadedTimes, shownDate, sideB, timeDomain, timeIndex } from "../base/state.js";
import { locale, percent, text } from "../base/text.js";
import { computed, effect, signal } from "../vendor/signals-core.js";
import { awaited, isRangeChosen, isRangeWhole, playable, playRange } from "./playback.js";
import { hasCubes, shares, unreadable } from "./shares.js";
import { followDate, panAxis, showDates, shown, zoomAxis } from "./strip/axis.js";
import { drawStrip, SIDE_PX } from "./strip/strip-painter.js";
import { ticksOf } from "./strip/ticks.js";
import { indexAt, isWhole, msAt, slotsOf, usualGap, xOf } from "./strip/window.js";

/** Minimum time between two spoken texts while time moves. */
const SPEECH_MS = 1000;
/** Wider dates are easy to distinguish and to point at. */
const EASY_PX = 6;
/** Half the width that the tip may take, so that it stays on the strip. */
const TIP_HALF_PX = 90;

export class Strip {
	/** @param {HTMLElement} root the strip's element */
	constructor(root) {
		const part = (/** @type {string} */ name) => /** @type {HTMLElement} */ (root.querySelector(`[data-part=${name}]`));
		this.root = root;
		this.slider = part("slider");
		this.tip = part("tip");
		this.overview = part("overview");
		this.thumb = part("thumb");
		this.canvas = /** @type {HTMLCanvasElement} */ (root.querySelector("canvas"));
		this.context = /** @type {CanvasRenderingContext2D} */ (this.canvas.getContext("2d"));
		this.size = { width: 0, height: 0, ratio: 1 };
		/** @type {Colours | null} */
		this.colours = null;
		this.schedule = beforeDrawing(() => this.draw());
		/** Position of each date, in slots, and the usual distance between two. */
		this.places = computed(() => {
			const slots = slotsOf(timeDomain.value.instants);
			return { slots, gap: usualGap(slots) };
		});
		/** The visible dates; null before there are any. */
		this.window = shown;
		/** Whether there are so many dates that zooming in is useful. */
		this.isLong = signal(false);
		/** The date under the pointer; -1 if there is none. */
		this.hovered = signal(-1);
	}

	/** Starts to follow the state. */
	follow() {
		new ResizeObserver(([{ contentRect }]) => this.resize(contentRect.width, contentRect.height)).observe(this.canvas);
		effect(() => {
			isDark.value;
			this.colours = null;
			this.schedule();
		});
		effect(() => this.showDomain(timeDomain.value.instants.length));
		effect(() => {
			if (timeIndex.value >= 0) followDate(this.places.peek().slots[timeIndex.value]);
		});
		// Number of loaded dates, for tests and scripts outside of the page.
		effect(() => {
			const all = [...loadedTimes.value.values()];
			this.root.dataset.loaded = String(all.length);
			this.root.dataset.full = String(all.filter((each) => each === "full").length);
		});
		effect(() => this.showTip(this.hovered.value, isMoving.value ? timeIndex.value : -1));
		effect(() => {
			this.sceneNow();
			this.showThumb(this.window.value);
			this.schedule();
		});
		this.followSpeech();
	}

	/** Sets the size in CSS pixels. @param {number} width @param {number} height */
	resize(width, height) {
		const ratio = window.devicePixelRatio || 1;
		const isFirst = this.size.width === 0;
		this.size = { width, height, ratio };
		[this.canvas.width, this.canvas.height] = [Math.round(width * ratio), Math.round(height * ratio)];
		if (isFirst || this.window.peek()?.count !== timeDomain.peek().instants.length) {
			this.showDomain(timeDomain.peek().instants.length);
		}
		this.isLong.value = this.track.width < EASY_PX * timeDomain.peek().instants.length;
		this.draw();
	}

	/** Position of the bars, in CSS pixels. */
	get track() {
		return { left: SIDE_PX, width: Math.max(1, this.size.width - 2 * SIDE_PX) };
	}

	/** @param {number} count of the layer's dates */
	showDomain(count) {
		if (count < 2 || this.size.width === 0) {
			this.window.value = null;
			return;
		}
		showDates(this.track.width, this.places.peek().slots[Math.max(0, timeIndex.peek())]);
		this.isLong.value = this.track.width < EASY_PX * count;
		this.slider.setAttribute("aria-valuemax", String(count - 1));
	}

	/** Returns the date at a horizontal position on the strip, in CSS pixels from its left edge. @param {number} x */
	indexAt(x) {
		const shown = this.window.peek();
		return shown ? indexAt(shown, this.track, x, this.places.peek().slots) : -1;
	}

	/** Shows fewer dates, or more. @param {number} factor above 1 for fewer @param {number} [x] fixed position */
	zoom(factor, x = this.xOfIndex(timeIndex.peek())) {
		zoomAxis(factor, (x - this.track.left) / this.track.width);
	}

	/** Shows the dates around a fraction of the whole range. @param {number} share */
	centre(share) {
		const shown = this.window.peek();
		if (shown) panAxis((share * shown.count - shown.start) / shown.length - 0.5);
	}

	/** Returns the middle of a date's bar, in CSS pixels. @param {number} index */
	xOfIndex(index) {
		const shown = this.window.peek();
		return shown ? xOf(shown, this.track, this.places.peek().slots[index] + 0.5) : 0;
	}

	/** Returns the content of the drawing; reads its signals. @returns {import("./strip/strip-painter.js").Scene} */
	sceneNow() {
		const other = sideB.value?.instant.value;
		return {
			...this.places.value,
			shares: shares.value,
			unreadable: unreadable.value,
			loaded: loadedTimes.value,
			areLoadsKnown: hasCubes.value,
			played: playable.value.length === timeDomain.value.instants.length ? null : new Set(playable.value),
			range: isRangeChosen.value && !isRangeWhole.value ? playRange.value : null,
			index: timeIndex.value,
			other: other ? indexOfMoment(timeDomain.value.instants, other.ms) : -1,
			hovered: this.hovered.value,
			awaited: awaited.value,
		};
	}

	draw() {
		const [shown, { width, height, ratio }] = [this.window.peek(), this.size];
		if (!shown || width === 0) return;
		this.colours ??= this.readColours();
		const { instants } = timeDomain.peek();
		const span = { from: msAt(instants, shown.start), to: msAt(instants, shown.start + shown.length) };
		const dayPx = (this.track.width / (span.to - span.from)) * DAY_MS;
		const slot = (/** @type {number} */ ms) => shown.start + ((ms - span.from) / (span.to - span.from)) * shown.length;
		const ticks = ticksOf(instants, span, dayPx, locale()).map((tick) => ({ ...tick, slot: slot(tick.ms) }));
		const size = { width: Math.round(width * ratio), height: Math.round(height * ratio), ratio };
		drawStrip(this.context, size, shown, ticks, this.sceneNow(), this.colours);
	}

	/** @returns {Colours} */
	readColours() {
		const names = ["--bar", "--accent", "--text", "--text-soft", "--line", "--raised"];
		const [bar, accent, words, soft, line, page] = names.map(colourReader(this.canvas));
		return { bar, accent, text: words, soft, line, page, family: getComputedStyle(this.canvas).fontFamily };
	}

	/** @param {number} hovered @param {number} moving the date that time moves through; -1 while it does not move */
	showTip(hovered, moving) {
		const index = hovered >= 0 ? hovered : moving;
		const when = timeDomain.peek().instants[index];
		this.tip.hidden = !when;
		if (!when) return;
		this.tip.textContent = spokenDate(formatInstant(when, locale()), index);
		const half = Math.min(TIP_HALF_PX, this.size.width / 2);
		const x = Math.max(half, Math.min(this.size.width - half, this.xOfIndex(index)));
		this.tip.style.transform = `translateX(${x}px) translateX(-50%)`;
	}

	/** @param {Window | null} shown */
	showThumb(shown) {
		if (!shown) return;
		this.root.dataset.isZoomed = String(!isWhole(shown));
		this.thumb.style.left = `${(100 * shown.start) / shown.count}%`;
		this.thumb.style.width = `${(100 * shown.length) / shown.count}%`;
	}

	/** Updates the slider's text for screen readers: immediately at rest, at intervals while time moves. */
	followSpeech() {
		let lastMs = 0;
		let waiting = 0;
		const speak = () => {
			lastMs = performance.now();
			const index = timeIndex.peek();
			if (index < 0) return;
			this.slider.setAttribute("aria-valuenow", String(index));
			this.slider.setAttribute("aria-valuetext", spokenDate(shownDate.peek(), index));
		};
		effect(() => {
			void [shownDate.value, shares.value, unreadable.value];
			const wait = isMoving.value ? lastMs + SPEECH_MS - performance.now() : 0;
			window.clearTimeout(waiting);
			if (wait <= 0) speak();
			else waiting = window.setTimeout(speak, wait);
		});
	}
}

/** Returns a date with its fraction of data. @param {string} date @param {number} index */
function spokenDate(date, index) {
	if (unreadable.peek().has(index)) return text("time.dateUnreadable", { date });
	const share = shares.peek()[index] ?? null;
	if (share === null) return date;
	return share === 0 ? text("time.dateWithout", { date }) : text("time.dateWithShare", { date, share: percent(share) });
}
