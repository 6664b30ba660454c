/**
 * Moves the strip: drag, double click, wheel, pinch, keys.
 *
 * @typedef {import("./strip.js").Strip} Strip
 * @typedef
 *   {{ id: number, x: number, startX: number, left: number, hasMoved: boolean, isRange: boolean, from: number }}
 *   Drag
 *   `x` is the pointer's position from the window's left edge; `left` is that of the strip; `from` is the date at the
 *   start of the drag
 */

import { dateOf, stepMonths } from "../base/dates.js";
import { beforeDrawing } from "../base/delays.js";
import { followDrag, runKey } from "../base/elements.js";
import {
	chooseTime,
	expectDate,
	prepareMoves,
	setDragged,
	setMoving,
	setPressed,
	timeDomain,
	timeIndex,
} from "../base/state.js";
import { effect } from "../vendor/signals-core.js";
import { chooseRange, goTo, isPlaying, pause, togglePlay } from "./playback.js";
import { panAxis, turnWheel } from "./strip/axis.js";
import { isWhole, MIN_SHOWN } from "./strip/window.js";

/** A pointer that has moved less than this since it was pressed does not drag yet. */
const STILL_PX = 3;
/** A pointer that does not move for so long is at rest. */
const REST_MS = 400;
/** While dates are dragged within this of an edge of a strip that is zoomed in, it pans. */
const EDGE_PX = 28;
const ZOOM_STEP = 1.6;

/** @param {Strip} strip @param {(index: number, x: number) => void} onYears opens the year lens */
export function followMoves(strip, onYears) {
	const { slider } = strip;
	const drags = new StripDrags(strip);
	slider.addEventListener("pointerdown", (event) => drags.start(event));
	slider.addEventListener("pointermove", (event) => drags.move(event));
	slider.addEventListener("pointerup", (event) => drags.end(event));
	slider.addEventListener("pointercancel", (event) => drags.end(event));
	for (const kind of ["pointerenter", "focus"]) {
		slider.addEventListener(kind, () => {
			prepareMoves();
		});
	}
	slider.addEventListener("pointerleave", () => {
		strip.hovered.value = -1;
	});
	slider.addEventListener("contextmenu", (event) => event.preventDefault());
	slider.addEventListener("dblclick", ({ clientX }) => onYears(timeIndex.peek(), clientX));
	slider.addEventListener("keydown", (event) => pressKey(strip, event, onYears));
	slider.addEventListener("keyup", endRun);
	slider.addEventListener("blur", endRun);
	slider.addEventListener(
		"wheel",
		(event) => turnWheel(event, (event.offsetX - strip.track.left) / strip.track.width, strip.track.width),
		{ passive: false },
	);
	// A resting pointer may be pressed next: its date is loaded in advance, because a drag sends no requests.
	effect(() => {
		const index = strip.hovered.value;
		const resting = window.setTimeout(() => {
			if (!isPlaying.peek()) expectDate(index);
		}, REST_MS);
		return () => window.clearTimeout(resting);
	});
}

/** The pointers that are down on the strip: one drags through time, a second one makes it a pinch. */
class StripDrags {
	/** @param {Strip} strip */
	constructor(strip) {
		this.strip = strip;
		/** @type {Drag | null} */
		this.drag = null;
		/** The second pointer of a pinch. @type {{ id: number, x: number } | null} */
		this.second = null;
		this.resting = 0;
		/** One change of date a frame, however many moves the pointer makes. */
		this.schedule = beforeDrawing(() => this.show());
	}

	/** @param {PointerEvent} event */
	start(event) {
		if (event.button !== 0 || this.second) return;
		const { slider } = this.strip;
		slider.setPointerCapture(event.pointerId);
		if (this.drag) {
			this.second = { id: event.pointerId, x: event.clientX };
			return;
		}
		// The position of the strip is read only once per drag; it does not move in the meantime.
		const { left } = slider.getBoundingClientRect();
		const from = this.strip.indexAt(event.clientX - left);
		const { clientX: x, pointerId: id } = event;
		this.drag = { id, x, startX: x, left, hasMoved: false, isRange: event.shiftKey, from };
		setPressed(true);
		prepareMoves();
		this.strip.hovered.value = -1;
		if (this.drag.isRange) return;
		// Playback stops here, so that Back undoes press and drag as one step.
		pause();
		setMoving(true);
		chooseTime(from);
	}

	/** Marks time as dragged until the pointer rests. */
	waitForRest() {
		setDragged(true);
		window.clearTimeout(this.resting);
		this.resting = window.setTimeout(() => this.rest(), REST_MS);
	}

	rest() {
		window.clearTimeout(this.resting);
		setDragged(false);
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
		if (!drag.hasMoved && Math.abs(drag.x - drag.startX) < STILL_PX) return;
		drag.hasMoved = true;
		if (!drag.isRange) this.waitForRest();
		this.schedule();
	}

	/** Shows the date under the pointer; near the edges of a zoomed strip it pans automatically. */
	show() {
		const { drag, strip } = this;
		if (!drag?.hasMoved) return;
		const x = drag.x - drag.left;
		const { width } = strip.size;
		const beyond = Math.min(0, x - EDGE_PX) + Math.max(0, x - (width - EDGE_PX));
		if (beyond !== 0 && strip.root.dataset.isZoomed === "true") {
			panAxis(Math.max(-EDGE_PX, Math.min(EDGE_PX, beyond)) / 2 / strip.track.width);
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
		if (!drag || (event.pointerId !== drag.id && event.pointerId !== this.second?.id)) return;
		if (!this.second) this.show();
		else if (event.pointerId !== drag.id) {
			this.second = null;
			return;
		}
		this.drag = null;
		this.second = null;
		this.rest();
		setPressed(false);
		if (!drag.isRange) setMoving(false);
	}
}

/** @param {Strip} strip @param {KeyboardEvent} event @param {(index: number, x: number) => void} onYears */
function pressKey(strip, event, onYears) {
	const { instants } = timeDomain.peek();
	if (event.ctrlKey || event.metaKey || event.altKey || instants.length === 0) return;
	const index = timeIndex.peek();
	const month = event.shiftKey ? 12 : 1;
	// A key that is held moves as a drag does.
	if (event.repeat && event.key.startsWith("Arrow")) {
		setMoving(true);
		isRunning = true;
	}
	runKey(event, {
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
		y: () => onYears(index, strip.xOfIndex(index) + strip.slider.getBoundingClientRect().left),
		Escape: pause,
	});
}

/** Whether a held key moves through time. */
let isRunning = false;

function endRun() {
	if (!isRunning) return;
	setMoving(false);
	isRunning = false;
}

/** Connects the zoom buttons, and the bar of all dates that pans. @param {Strip} strip @param {HTMLElement} buttons */
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
	followDrag(overview, ({ clientX }) => {
		const { left, width } = overview.getBoundingClientRect();
		strip.centre((clientX - left) / width);
	});
}
