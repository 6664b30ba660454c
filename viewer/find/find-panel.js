/** The panel that finds dates and scenes in the visible area: search fields, results, and the feed of new items. */

import { feedAddress } from "../base/api.js";
import { makeDateField } from "../base/date-field.js";
import { parseSpan } from "../base/dates.js";
import { keepRows, make, makeButton, makeField, makeIconButton } from "../base/elements.js";
import { layer } from "../base/state.js";
import { percent, text } from "../base/text.js";
import { makeCopyField, makeInput } from "../shell/share.js";
import { raiseSheet } from "../shell/sheet.js";
import { effect } from "../vendor/signals-core.js";
import { askOn, collection, emphasised, found, from, hasClouds, isOpen, maxCloud, startFinder, to } from "./finder.js";
import { SceneRow } from "./scene-row.js";
import { ANY_CLOUD } from "./scenes.js";

/** The server does not count beyond this number. */
const COUNTED = 10_000;

/**
 * @param {{ panel: HTMLElement, button: HTMLElement }} page
 * @param {boolean} isOpened whether the button was pressed before this module was loaded
 */
export function startFind({ panel, button }, isOpened) {
	const close = () => {
		isOpen.value = false;
		button.focus();
	};
	panel.classList.add("find");
	panel.append(makeHead(close), ...makeQuestions(), ...makeAnswers(), makeFeed());
	effect(() => {
		panel.hidden = !isOpen.value;
		button.setAttribute("aria-expanded", String(isOpen.value));
		if (!isOpen.value) emphasised.value = null;
	});
	startFinder();
	const open = () => {
		isOpen.value = true;
		if (document.documentElement.dataset.panel === "closed") document.getElementById("panel-button")?.click();
		raiseSheet("middle");
	};
	button.addEventListener("click", () => {
		if (isOpen.peek()) isOpen.value = false;
		else open();
	});
	if (isOpened) open();
}

/** @param {() => void} close */
function makeHead(close) {
	const about = make("p", { class: "hint" });
	effect(() => {
		about.textContent = text("find.about", { collection: collectionTitle() });
	});
	const heading = make("h2", { id: "find-heading" }, text("find.heading"));
	const head = make("div", { class: "find-head" }, heading, makeIconButton("close", text("action.close"), close));
	return make("div", {}, head, about);
}

/** Title of the collection. */
const collectionTitle = () => layer.value?.collection_title ?? layer.value?.collection ?? "";

/** Returns the fields of the period and of the maximum cloud cover. */
function makeQuestions() {
	const makeDay = (/** @type {string} */ id, /** @type {string} */ words, /** @type {typeof from} */ day) => {
		// For a month or a year, the first or the last day.
		const { field } = makeDateField({ id }, (date) => {
			const span = parseSpan(date);
			day.value = span ? new Date(day === from ? span.start : span.end - 1).toISOString().slice(0, 10) : "";
		});
		return makeField(words, field);
	};
	const days = [makeDay("find-from", text("export.from"), from), makeDay("find-to", text("export.to"), to)];
	return [make("div", { class: "find-days" }, ...days), makeCloudField()];
}

function makeCloudField() {
	const slider = make("input", { id: "find-cloud", type: "range", min: 0, max: ANY_CLOUD, step: 5 });
	const cloudOutput = make("output", { for: "find-cloud" });
	const label = make("label", { for: "find-cloud" }, text("find.maxCloud"));
	const field = make("div", { class: "field" }, make("div", { class: "label-row" }, label, cloudOutput), slider);
	slider.addEventListener("input", () => {
		maxCloud.value = Number(slider.value);
	});
	effect(() => {
		slider.value = String(maxCloud.value);
		cloudOutput.textContent = maxCloud.value === ANY_CLOUD ? text("find.anyCloud") : percent(maxCloud.value / 100);
		slider.setAttribute("aria-valuetext", cloudOutput.textContent);
		field.hidden = !hasClouds.value;
	});
	return field;
}

/** Returns the number of results, warnings about missing ones, the list, and the button for more. */
function makeAnswers() {
	const told = make("p", { class: "find-told", role: "status" });
	const leftOut = make("p", { class: "find-fault", role: "status" });
	const list = make("ul", { class: "find-list", "aria-label": text("find.list") });
	const why = make("span", {});
	const again = makeButton(text("action.tryAgain"), () => void askOn());
	const fault = make("p", { class: "find-fault", role: "alert" }, why, again);
	const more = makeButton(text("find.more"), () => void showMore(), { class: "find-more" });
	const showMore = async () => {
		const { length } = list.children;
		await askOn();
		// The button may have been removed; the first new row is the next element in any case.
		const next = list.children[length]?.querySelector("button");
		if (document.activeElement === more || document.activeElement === document.body) next?.focus();
	};
	effect(() => {
		const { phase, unanswered, cursor, scenes } = found.value;
		told.textContent = toldText();
		list.setAttribute("aria-busy", String(phase === "loading"));
		leftOut.textContent = unanswered
			.map(({ collection: name, reason, partial }) =>
				text(partial ? "find.incomplete" : "find.unanswered", { collection: name, why: reason }),
			)
			.join(" ");
		leftOut.hidden = unanswered.length === 0;
		why.textContent = text("find.failed", { why: found.value.why });
		fault.hidden = phase !== "failed";
		more.hidden = cursor === null || scenes.length === 0 || phase === "failed";
	});
	showRows(list);
	return [told, leftOut, list, fault, more];
}

function toldText() {
	const { phase, scenes, matched } = found.value;
	if (phase === "loading") return text("find.loading");
	if (phase === "failed") return "";
	if (scenes.length === 0) return text("find.none");
	const shown = scenes.length;
	return matched === null
		? text("find.countMany", { shown, count: COUNTED })
		: text("find.count", { shown, count: matched });
}

/** @param {HTMLElement} list */
function showRows(list) {
	/** By all values of the scene. @type {Map<string, SceneRow>} */
	const rows = new Map();
	effect(() => {
		const of = collection.peek();
		const coming = new Map(found.value.scenes.map((scene) => [JSON.stringify([of, scene]), scene]));
		const makeRow = (/** @type {string} */ key) =>
			new SceneRow(/** @type {import("./scenes.js").Scene} */ (coming.get(key)));
		keepRows(list, rows, [...coming.keys()], makeRow);
		list.hidden = coming.size === 0;
	});
}

/** Returns the links to the feed of new items. */
function makeFeed() {
	const about = make("p", { class: "hint" });
	const open = make("a", { type: "application/atom+xml" }, text("find.openFeed"));
	const address = makeInput("");
	effect(() => {
		const of = collection.value;
		about.textContent = text("find.feedAbout", { collection: collectionTitle() });
		address.value = of === null ? "" : feedAddress(of);
		open.href = address.value;
	});
	const field = makeCopyField("find-feed", text("find.feedAddress"), address);
	return make("details", { class: "find-feed" }, make("summary", {}, text("find.feed")), about, field, open);
}
