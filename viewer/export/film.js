/** The tab that makes films: selection of dates, speed and format; and the progress. */
import { isStatic } from "../base/api.js";
import { fillSelect, make, makeButton, makeField, makeSelect, makeWordButton } from "../base/elements.js";
import { saveFile } from "../base/save.js";
import { announceOutcome, chooseGaps, isGapFilled, layer, sideB, timeDomain } from "../base/state.js";
import { locale, text } from "../base/text.js";
import { framesOf, rangeOf } from "../time/frames.js";
import { frameStep, leastShare, fps as playedFps, playRange } from "../time/playback.js";
import { shares } from "../time/shares.js";
import { effect } from "../vendor/signals-core.js";
import { animationAddress, stemOf } from "./addresses.js";
import {
	chosenRect,
	labels,
	makeCheck,
	makeDates,
	makeLabelFields,
	makeOutsideNote,
	makePartField,
	makeSizeField,
} from "./controls.js";
import { currentView } from "./current-view.js";
import { makeFilm } from "./film-maker.js";
import { startGif } from "./gif.js";
import { filmBytes, sizeOf } from "./page/page-layout.js";
import { makePreview } from "./preview.js";

/**
 * @typedef {import("./page/page-layout.js").Rect} Rect
 * @typedef {import("./picture.js").Tab} Tab
 * @typedef {"gif" | "mp4" | "webm"} FilmKind
 * @typedef {import("./video.js").Codec} Codec
 */

/** Pixels of all frames together that browsers make into a file without running out of memory. */
const MOST_PIXELS = 600_000_000;
const MOST_FPS = 30;
const SCALES = [0.5, 1, 2];
/** Frames per second above which changing clouds flash (WCAG 2.2 §2.3.1). */
const FLASHING_FPS = 6;

/** @returns {Promise<Tab>} */
export const makeFilmTab = () => new FilmTab().start();

class FilmTab {
	element = make("div", { class: "export-columns" });
	#instants = timeDomain.peek().instants;
	/** The requested format. */
	#kind = /** @type {FilmKind} */ ("mp4");
	#scale = 1;
	#step = frameStep.peek();
	#fps = playedFps.peek();
	/** Encoder of each kind; null if the browser has none. @type {Record<FilmKind, Codec | "gif" | null>} */
	#codecs = { mp4: null, gif: "gif", webm: null };
	/** @type {Rect | null} */
	#rect = null;
	/** @type {AbortController | null} */
	#making = null;
	/** @type {(() => void)[]} */
	#stops = [];
	#about = make("p", { class: "hint" });
	#warning = make("p", { class: "export-note", hidden: true });
	#outside = makeOutsideNote();
	#make = makeWordButton("download", text("export.makeFilm"), () => void this.#run(), { class: "primary" });
	#server = make("a", { class: "export-server", download: "" }, text("export.byServer"));
	#progress = make("progress", { max: 1, value: 0, "aria-label": text("export.progress") });
	#status = make("p", { role: "status" });
	#cancel = makeButton(text("action.cancel"), () => this.#making?.abort());
	#running = make("div", { class: "export-running", hidden: true }, this.#progress, this.#status, this.#cancel);
	#dates = makeDates(this.#instants, playRange.peek(), () => this.#describe());
	#kinds = makeSelect([], (value) => {
		this.#kind = /** @type {FilmKind} */ (value);
		this.#describe();
	});

	async start() {
		const preview = await makePreview((rect) => {
			this.#rect = rect;
			this.#describe();
		});
		const follow = effect(() => {
			void [layer.value, shares.value, sideB.value];
			this.#describe();
		});
		this.#stops = [preview.stop, follow];
		this.element.append(preview.element, this.#fields());
		await this.#findKinds();
		return this;
	}

	stop() {
		this.#making?.abort();
		for (const stop of this.#stops) stop();
	}

	#fields() {
		const size = makeSizeField(SCALES, (scale) => {
			this.#scale = scale;
			void this.#findKinds();
		});
		const step = this.#numberField("export.step", { min: 1, max: 100, value: this.#step }, (value) => {
			this.#step = Math.max(1, Math.round(value));
		});
		const fps = this.#numberField("export.fps", { min: 1, max: MOST_FPS, value: this.#fps }, (value) => {
			this.#fps = Math.min(MOST_FPS, Math.max(1, value));
		});
		const filling = makeCheck(text("export.fillGaps"), isGapFilled.peek(), (isChecked) => {
			chooseGaps(isChecked ? "last" : "show");
		});
		return make(
			"div",
			{ class: "export-fields" },
			makePartField(() => void this.#findKinds()),
			this.#dates.element,
			make("div", { class: "export-pair" }, step, fps),
			make("div", { class: "export-pair" }, makeField(text("export.format"), this.#kinds), size),
			filling,
			makeLabelFields(),
			this.#outside,
			this.#warning,
			make("div", { class: "row" }, this.#make, this.#about),
			this.#running,
			this.#server,
		);
	}

	/**
	 * @param {"export.step" | "export.fps"} key
	 * @param {{ min: number, max: number, value: number }} range
	 * @param {(value: number) => void} take
	 */
	#numberField(key, range, take) {
		const field = make("input", { type: "number", step: 1, ...range });
		field.addEventListener("input", () => {
			if (!Number.isFinite(field.valueAsNumber)) return;
			take(field.valueAsNumber);
			this.#describe();
		});
		return makeField(text(key), field);
	}

	/** Determines which films the browser can make at this size. */
	async #findKinds() {
		const { codecFor } = await import("./video.js");
		const size = this.#size();
		const find = (/** @type {"mp4" | "webm"} */ kind) => codecFor(kind, size).catch(() => null);
		this.#codecs = { mp4: await find("mp4"), gif: "gif", webm: await find("webm") };
		/** @type {import("../base/elements.js").Choice[]} */
		const options = KINDS.map(([kind, name]) => {
			const isMissing = this.#codecs[kind] === null;
			return [kind, isMissing ? text("export.kindMissing", { kind: name }) : name, isMissing];
		});
		fillSelect(this.#kinds, options);
		if (this.#codecs[this.#kind] === null) this.#kind = "gif";
		this.#kinds.value = this.#kind;
		this.#describe();
	}

	#size() {
		return sizeOf(this.#rect ?? chosenRect() ?? { left: 0, top: 0, width: 2, height: 2 }, this.#scale, true);
	}

	/** Indexes of the dates of the film. */
	#frames() {
		const range = rangeOf(this.#instants, this.#dates.from(), this.#dates.to());
		return framesOf({ range, step: this.#step, least: leastShare.peek(), shares: shares.peek() });
	}

	/** Describes the film, or the reason why it cannot be made. */
	#describe() {
		const [frames, size] = [this.#frames(), this.#size()];
		const bytes = filmBytes(this.#kind, size, frames.length);
		const seconds = (frames.length / this.#fps).toLocaleString(locale(), { maximumFractionDigits: 1 });
		const about = { count: frames.length, seconds, megabytes: megabytes(bytes), ...size };
		this.#about.textContent = text("export.filmAbout", about);
		const isTooLarge = size.width * size.height * frames.length > MOST_PIXELS;
		const warning = isTooLarge ? "export.tooLarge" : this.#fps > FLASHING_FPS ? "export.flashes" : null;
		this.#warning.hidden = warning === null;
		if (warning) this.#warning.textContent = text(warning);
		this.#outside.hidden = this.#rect !== null;
		this.#make.disabled = isTooLarge || frames.length < 2 || this.#rect === null || this.#making !== null;
		this.#describeServer(frames);
	}

	/** Returns the first and the last date. @param {readonly number[]} frames */
	#ends(frames) {
		return [frames[0], frames[frames.length - 1]].map((index) => this.#instants[index].text);
	}

	/** Shows the address at which the server makes a film of the layer alone. @param {readonly number[]} frames */
	#describeServer(frames) {
		const shown = currentView();
		// Films of the server have single dates.
		this.#server.hidden = isStatic || !shown || frames.length < 2 || timeDomain.peek().periods !== undefined;
		if (!shown || this.#server.hidden) return;
		const [first, last] = this.#ends(frames);
		const extension = this.#kind === "webm" ? "webp" : this.#kind;
		const film = { extension, datetime: `${first}/${last}`, step: this.#step, fps: this.#fps };
		this.#server.href = animationAddress(shown, film);
	}

	async #run() {
		const [crop, of] = [this.#rect, layer.peek()];
		if (!crop || !of) return;
		const [frames, size, kind] = [this.#frames(), this.#size(), this.#kind];
		const canvas = Object.assign(document.createElement("canvas"), size);
		const stopping = new AbortController();
		this.#making = stopping;
		this.#running.hidden = this.#progress.hidden = this.#cancel.hidden = false;
		this.#progress.value = 0;
		this.#describe();
		this.#status.textContent = text("export.preparing");
		try {
			const writer = await this.#startWriter(canvas, kind, frames.length);
			const form = { crop, scale: size.width / crop.width, labels: labels.peek() };
			const file = await makeFilm({ frames, canvas, form, writer }, stopping.signal, ({ done, count }) => {
				this.#progress.value = done / count;
				this.#status.textContent = text("export.frame", { done, count });
			});
			const [first, last] = this.#ends(frames);
			saveFile(file, `${stemOf(of, first)}_${last.slice(0, 10)}.${kind}`);
			this.#tell(text("export.filmDone", { megabytes: megabytes(file.size) }));
		} catch (error) {
			this.#tell(stopping.signal.aborted ? text("export.cancelled") : text("export.failed", { why: String(error) }));
		}
		this.#making = null;
		this.#describe();
	}

	/** @param {string} words */
	#tell(words) {
		announceOutcome(words);
		this.#status.textContent = words;
		this.#progress.hidden = this.#cancel.hidden = true;
	}

	/** @param {HTMLCanvasElement} canvas @param {FilmKind} kind @param {number} count */
	async #startWriter(canvas, kind, count) {
		if (kind === "gif") return startGif(canvas, { count, fps: this.#fps });
		const { startVideo } = await import("./video.js");
		return startVideo(canvas, { kind, codec: /** @type {Codec} */ (this.#codecs[kind]), fps: this.#fps });
	}
}

const KINDS = /** @type {const} */ ([
	["mp4", "MP4"],
	["gif", "GIF"],
	["webm", "WebM"],
]);

/** @param {number} bytes */
const megabytes = (bytes) => (bytes / 1e6).toLocaleString(locale(), { maximumSignificantDigits: 2 });
