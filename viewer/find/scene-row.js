/** A row of the list: a scene with picture, date and cloud cover. A click shows it; a link downloads it. */

import { productAddress, rootUrl } from "../base/api.js";
import { formatShortDate } from "../base/dates.js";
import { make } from "../base/elements.js";
import { makeIcon } from "../base/icons.js";
import { saveUnlessRefused } from "../base/save.js";
import { layer, view } from "../base/state.js";
import { locale, percent, text } from "../base/text.js";
import { coverageAddress } from "../export/addresses.js";
import { stop } from "../shell/sheet.js";
import { effect } from "../vendor/signals-core.js";
import { emphasised, isShown, showScene } from "./finder.js";

/** @typedef {import("./scenes.js").Scene} Scene */

/** Width and height of a picture, in CSS pixels. */
const PICTURE_PX = 56;

/** Whether the list is used by keyboard; rows that move below a resting pointer then do not count as hovered. */
const isByKeyboard = () => document.activeElement?.matches(".find-row :focus-visible") ?? false;

export class SceneRow {
	#asking = new AbortController();
	#fault = make("p", { class: "find-fault", role: "alert", hidden: true });
	#scene;
	#stops;

	/** @param {Scene} scene */
	constructor(scene) {
		this.#scene = scene;
		const { id } = scene;
		const show = this.#makeShow();
		const save = this.#makeSave();
		const leave = () => {
			if (emphasised.peek() === id) emphasised.value = null;
		};
		const enter = () => {
			emphasised.value = id;
		};
		const byPointer = (/** @type {() => void} */ act) => () => {
			if (!isByKeyboard()) act();
		};
		this.element = make(
			"li",
			{
				class: "find-row",
				onpointerenter: byPointer(enter),
				onpointerleave: byPointer(leave),
				onfocusin: enter,
				onfocusout: leave,
			},
			show,
			save,
			this.#fault,
		);
		this.#stops = [
			effect(() => show.setAttribute("aria-current", isShown(scene) ? "date" : "false")),
			effect(() => {
				save.href = this.#address();
			}),
			leave,
		];
	}

	remove() {
		for (const each of this.#stops) each();
		this.#asking.abort();
		this.element.remove();
	}

	#makeShow() {
		const { ms, name, cloud } = this.#scene;
		const words = make("span", { class: "find-words" }, make("strong", {}, formatShortDate(ms, locale())));
		if (name !== null) words.append(make("span", { class: "find-name", title: name }, name));
		if (cloud !== null)
			words.append(make("span", { class: "find-cloud" }, text("find.cloud", { share: percent(cloud) })));
		const onclick = () => {
			void showScene(this.#scene);
			// A fully raised sheet hides most of the map.
			if (stop.peek() === "high") stop.value = "middle";
		};
		return make("button", { class: "find-show quiet plain", onclick }, this.#makePicture(), words);
	}

	/** Returns the picture; empty if it cannot be loaded. */
	#makePicture() {
		const place = make("span", { class: "find-picture" });
		if (this.#scene.thumbnail === null) return place;
		const look = { loading: "lazy", decoding: "async", alt: "", width: PICTURE_PX, height: PICTURE_PX };
		const picture = make("img", { ...look, onerror: () => picture.remove(), src: this.#scene.thumbnail });
		place.append(picture);
		return place;
	}

	#makeSave() {
		const { ms, name, hasFiles } = this.#scene;
		const of = { name: name ?? formatShortDate(ms, locale()) };
		const label = hasFiles ? text("find.download", of) : text("find.downloadValues", of);
		const onclick = (/** @type {MouseEvent} */ event) => {
			// With a modifier key, browsers open links in other windows.
			if (event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return;
			event.preventDefault();
			void saveUnlessRefused(this.#address(), this.#fault, this.#asking.signal);
		};
		return make("a", { class: "find-save", "aria-label": label, title: label, onclick }, makeIcon("download"));
	}

	/** Returns the URL of the files, or of the values on the map if there are no files. */
	#address() {
		const { id, date, hasFiles } = this.#scene;
		const [of, bbox] = [layer.value, view.value?.bbox];
		if (!of || !bbox) return "";
		if (hasFiles) return productAddress(of.collection, id);
		return coverageAddress(rootUrl(), of, { bbox, datetime: date, format: "GTiff" });
	}
}
