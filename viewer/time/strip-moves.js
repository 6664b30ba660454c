/**
 * How the strip is moved: drag, hold, wheel, pinch, keys.
 *
 * @typedef {import("./strip.js").Strip} Strip
 * @typedef {{ id: number, x: number, startX: number, left: number, stillX: number, hasMoved: boolean, isRange: boolean, from: number }} Drag
 *   `stillX` is where it was when the wait for a hold began; `x` is where the pointer is, from the window's left edge; `left` the strip's; `from` the date that the drag began at
 */

import { dateOf, stepMonths } from "../base/dates.js";
import { chooseTime, intent, isDragged, isMoving, timeDomain, timeIndex } from "../base/state.js";
import { effect } from "../vendor/signals-core.js";
import { chooseRange, goTo, pause, togglePlay } from "./playback.js";
import { isWhole, MIN_SHOWN } from "./strip/window.js";

/** A pointer that moves less than this from where it was pressed does not drag yet. */
const STILL_PX = 5;
/** One that moves by this, however slowly, is not held still. */
const JITTER_PX = 2;
/** A pointer held still so long asks for the same time in other years. */
const HOLD_MS = 550;
/** A pointer that drags and does not move for so long is at rest. */
const REST_MS = 400;
/**
 * Of a frame that comes later, so much counts: while the page stands still, moves of the pointer wait for it too, and
 * they come before the next frame.
 */
const LATE_FRAME_MS = 50;
/** While dates are dragged within this of an edge of a strip that is zoomed in, it pans. */
const EDGE_PX = 28;
const ZOOM_STEP = 1.6;
const WHEEL_ZOOM = 0.0022;

/** @param {Strip} strip @param {(index: number, x: number) => void} onHold */
export function followMoves(strip, onHold) {
	const { slider } = strip;
	const drags = new StripDrags(strip, onHold);
	slider.addEventListener("pointerdown", (event) => drags.start(event));
	slider.addEventListener("pointermove", (event) => drags.move(event));
	slider.addEventListener("pointerup", (event) => drags.end(event));
	slider.addEventListener("pointercancel", (event) => drags.end(event));
	slider.addEventListener("pointerenter", () => {
		intent.value = intent.peek() + 1;
	});
	slider.addEventListener("pointerleave", () => {
		strip.hovered.value = -1;
	});
	slider.addEventListener("focus", () => {
		intent.value = intent.peek() + 1;
	});
	slider.addEventListener("contextmenu", (event) => event.preventDefault());
	slider.addEventListener("keydown", (event) => pressKey(strip, event, onHold));
	slider.addEventListener("keyup", endRun);
	slider.addEventListener("blur", endRun);
	slider.addEventListener("wheel", (event) => turnWheel(strip, event), { passive: false });
}

/** The pointers that are down on the strip: one drags through time, a second one makes it a pinch. */
class StripDrags {
	/** @param {Strip} strip @param {(index: number, x: number) => void} onHold */
	constructor(strip, onHold) {
		this.strip = strip;
		this.onHold = onHold;
		/** @type {Drag | null} */
		this.drag = null;
		/** The second pointer of a pinch. @type {{ id: number, x: number } | null} */
		this.second = null;
		/** The frame in which it is looked at again whether the pointer is still held. */
		this.holding = 0;
		this.resting = 0;
		this.isDue = false;
	}

	/** @param {PointerEvent} event */
	start(event) {
		if (event.button !== 0 || this.second) return;
		const { slider } = this.strip;
		slider.setPointerCapture(event.pointerId);
		this.stopHold();
		if (this.drag) {
			this.second = { id: event.pointerId, x: event.clientX };
			return;
		}
		// The one time that the page is asked where the strip is; while it is dragged it does not move.
		const { left } = slider.getBoundingClientRect();
		const from = this.strip.indexAt(event.clientX - left);
		const { clientX: x, pointerId: id } = event;
		this.drag = { id, x, startX: x, stillX: x, left, hasMoved: false, isRange: event.shiftKey, from };
		intent.value = intent.peek() + 1;
		this.strip.hovered.value = -1;
		if (this.drag.isRange) return;
		// From here on, so that Back takes press and drag together as one step.
		pause();
		isMoving.value = true;
		this.waitForRest();
		chooseTime(from);
		this.waitForHold(performance.now(), HOLD_MS, () => this.hold(from, x));
	}

	/** @param {number} since when the frame before was @param {number} leftMs @param {() => void} hold */
	waitForHold(since, leftMs, hold) {
		this.holding = requestAnimationFrame((now) => {
			const stillMs = leftMs - Math.min(Math.max(0, now - since), LATE_FRAME_MS);
			if (stillMs > 0) this.waitForHold(now, stillMs, hold);
			else hold();
		});
	}

	stopHold() {
		cancelAnimationFrame(this.holding);
	}

	/** Time is dragged until the pointer does not move any more. */
	waitForRest() {
		isDragged.value = true;
		window.clearTimeout(this.resting);
		this.resting = window.setTimeout(() => this.rest(), REST_MS);
	}

	rest() {
		window.clearTimeout(this.resting);
		isDragged.value = false;
	}

	/** A pointer that was held drags no more. @param {number} index @param {number} x */
	hold(index, x) {
		this.drag = null;
		this.rest();
		isMoving.value = false;
		this.onHold(index, x);
	}

	/** @param {PointerEvent} event */
	move(event) {
		const { drag, second, strip } = this;
		if (!drag) {
			if (event.pointerType !== "touch") strip.hovered.value = strip.indexAt(event.offsetX);
			return;
		}
		if (second) {
			this.pinch(event);
			return;
		}
		if (event.pointerId !== drag.id) return;
		drag.x = event.clientX;
		if (!drag.isRange) this.waitForRest();
		if (!drag.hasMoved && !drag.isRange && Math.abs(drag.x - drag.stillX) >= JITTER_PX) {
			drag.stillX = drag.x;
			this.stopHold();
			this.waitForHold(performance.now(), HOLD_MS, () => this.hold(drag.from, drag.x));
		}
		if (!drag.hasMoved && Math.abs(drag.x - drag.startX) < STILL_PX) return;
		if (!drag.hasMoved) {
			this.stopHold();
			drag.hasMoved = true;
		}
		this.schedule();
	}

	/** One change of date a frame, however many moves the pointer makes. */
	schedule() {
		if (this.isDue) return;
		this.isDue = true;
		requestAnimationFrame(() => {
			this.isDue = false;
			this.show();
		});
	}

	/** Shows the date under the pointer; near the edges of a zoomed strip it goes on by itself. */
	show() {
		const { drag, strip } = this;
		if (!drag?.hasMoved) return;
		const x = drag.x - drag.left;
		const { width } = strip.size;
		const beyond = Math.min(0, x - EDGE_PX) + Math.max(0, x - (width - EDGE_PX));
		if (beyond !== 0 && strip.root.dataset.isZoomed === "true") {
			strip.pan(Math.max(-EDGE_PX, Math.min(EDGE_PX, beyond)) / 2);
			this.schedule();
		}
		const index = strip.indexAt(x);
		if (drag.isRange) this.showRange(drag.from, index);
		else if (index !== timeIndex.peek()) chooseTime(index);
	}

	/** @param {number} from @param {number} to indexes in any order */
	showRange(from, to) {
		const { instants } = timeDomain.peek();
		chooseRange(dateOf(instants, Math.min(from, to)), dateOf(instants, Math.max(from, to)));
	}

	/** Zooms about the middle of two fingers. @param {PointerEvent} event */
	pinch(event) {
		const { drag, second, strip } = this;
		if (!drag || !second) return;
		const before = Math.abs(drag.x - second.x);
		if (event.pointerId === drag.id) drag.x = event.clientX;
		else second.x = event.clientX;
		const after = Math.abs(drag.x - second.x);
		if (before > STILL_PX && after > STILL_PX) strip.zoom(after / before, (drag.x + second.x) / 2 - drag.left);
	}

	/** @param {PointerEvent} event */
	end(event) {
		const { drag } = this;
		this.stopHold();
		if (!drag || (event.pointerId !== drag.id && event.pointerId !== this.second?.id)) return;
		if (!this.second) this.show();
		else if (event.pointerId !== drag.id) {
			this.second = null;
			return;
		}
		this.drag = null;
		this.second = null;
		this.rest();
		if (!drag.isRange) isMoving.value = false;
	}
}

/** @param {Strip} strip @param {KeyboardEvent} event @param {(index: number, x: number) => void} onHold */
function pressKey(strip, event, onHold) {
	if (event.ctrlKey || event.metaKey || event.altKey) return;
	const { instants } = timeDomain.peek();
	const index = timeIndex.peek();
	const month = event.shiftKey ? 12 : 1;
	/** @type {Record<string, () => void>} */
	const keys = {
		ArrowLeft: () => goTo(index - 1),
		ArrowDown: () => goTo(index - 1),
		ArrowRight: () => goTo(index + 1),
		ArrowUp: () => goTo(index + 1),
		PageUp: () => goTo(stepMonths(instants, index, month)),
		PageDown: () => goTo(stepMonths(instants, index, -month)),
		Home: () => goTo(0),
		End: () => goTo(instants.length - 1),
		" ": togglePlay,
		"+": () => strip.zoom(ZOOM_STEP),
		"=": () => strip.zoom(ZOOM_STEP),
		"-": () => strip.zoom(1 / ZOOM_STEP),
		y: () => onHold(index, strip.xOfIndex(index) + strip.slider.getBoundingClientRect().left),
		Escape: pause,
	};
	const run = keys[event.key];
	if (!run || instants.length === 0) return;
	event.preventDefault();
	// A key that is held moves as a drag does.
	if (event.repeat && event.key.startsWith("Arrow")) isRunning = isMoving.value = true;
	run();
}

/** Whether a held key moves through time. */
let isRunning = false;

function endRun() {
	if (isRunning) isRunning = isMoving.value = false;
}

/** The buttons that zoom, and the bar of all dates that pans. @param {Strip} strip @param {HTMLElement} buttons */
export function followZoom(strip, buttons) {
	const [out, into] = buttons.querySelectorAll("button");
	out.addEventListener("click", () => strip.zoom(1 / ZOOM_STEP));
	into.addEventListener("click", () => strip.zoom(ZOOM_STEP));
	effect(() => {
		const shown = strip.window.value;
		buttons.hidden = !strip.isLong.value || !shown;
		out.disabled = !shown || isWhole(shown);
		into.disabled = !shown || shown.length <= MIN_SHOWN;
	});
	const { overview } = strip;
	/** @param {PointerEvent} event */
	const show = (event) => {
		const { left, width } = overview.getBoundingClientRect();
		strip.centre((event.clientX - left) / width);
	};
	overview.addEventListener("pointerdown", (event) => {
		overview.setPointerCapture(event.pointerId);
		show(event);
	});
	overview.addEventListener("pointermove", (event) => {
		if (overview.hasPointerCapture(event.pointerId)) show(event);
	});
}

/** Zooms about the pointer, or pans when the wheel turns sideways. @param {Strip} strip @param {WheelEvent} event */
function turnWheel(strip, event) {
	event.preventDefault();
	const lines = event.deltaMode === WheelEvent.DOM_DELTA_LINE ? 16 : 1;
	const [dx, dy] = [event.deltaX * lines, event.deltaY * lines];
	if (Math.abs(dx) > Math.abs(dy) || event.shiftKey) strip.pan(dx || dy);
	else strip.zoom(Math.exp(-dy * WHEEL_ZOOM), event.offsetX);
}
