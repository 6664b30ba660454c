/** The share dialog: the link to the current view, and HTML that embeds it in another page. */

import { openDialog } from "../base/dialog.js";
import { make, makeField, makeWordButton } from "../base/elements.js";
import { makeIcon } from "../base/icons.js";
import { addressOf, readAddress, withoutKey } from "../base/permalink.js";
import { extras, link, openStories, sideA, sideB, unlinkable } from "../base/state.js";
import { text } from "../base/text.js";

const FRAME = { width: 800, height: 500 };
/** How long a button confirms that it copied. */
const COPIED_MS = 2000;

export function openShare() {
	const now = link.peek() ?? readAddress().link;
	const address = addressOf(now);
	const words = [text("share.about")];
	if (unlinkable.peek().length > 0) words.push(text("areas.notInLink", { names: unlinkable.peek().join(", ") }));
	const shown = [sideA, sideB.peek(), ...extras.peek().map(({ side }) => side)].map((side) => side?.layer.peek());
	const names = new Set(shown.filter((layer) => layer?.access === "private").map((layer) => layer?.title));
	if (names.size > 0) words.push(text("share.private", { names: [...names].join(", ") }));
	const stories = makeWordButton("pin", text("stories.title"), () => {
		dialog.close();
		openStories();
	});
	const dialog = openDialog(
		text("share.title"),
		makeCopyField("share-link", text("share.link"), makeInput(address)),
		makeCopyField("share-embed", text("share.embed"), makeArea(frameCode(addressOf({ ...now, embed: true })))),
		...words.map((each) => make("p", { class: "hint" }, each)),
		make("div", { class: "row" }, stories),
	);
	return dialog;
}

/** Returns HTML that embeds the viewer. @param {string} address */
function frameCode(address) {
	const look = { ...FRAME, loading: "lazy", allowfullscreen: true };
	const frame = make("iframe", { src: address, title: document.title, ...look });
	return new XMLSerializer().serializeToString(frame).replace(/ xmlns="[^"]*"/, "");
}

/** @param {string} value */
export const makeInput = (value) => make("input", { type: "url", value });

/** @param {string} value @param {number} [rows] @param {import("../base/elements.js").Attributes} [more] */
export const makeArea = (value, rows = 4, more = {}) => make("textarea", { rows, ...more }, value);

/**
 * Returns a field with a button that copies it. It contains the key of this page only if the user chooses so.
 * @param {string} id @param {string} words @param {HTMLInputElement | HTMLTextAreaElement} field
 */
export function makeCopyField(id, words, field) {
	field.id = id;
	field.readOnly = true;
	field.addEventListener("focus", () => field.select());
	const label = `label-${id}`;
	const made = makeField(words, field, make("div", { class: "row" }, field, ...makeCopyButton(field, label)));
	made.querySelector("label")?.setAttribute("id", label);
	const [whole, open] = [field.value, withoutKey(field.value)];
	if (open !== whole) made.append(makeKeyChoice((hasKey) => (field.value = hasKey ? whole : open)));
	field.value = open;
	return made;
}

/** @param {(hasKey: boolean) => void} choose */
function makeKeyChoice(choose) {
	const box = make("input", { type: "checkbox", onchange: () => choose(box.checked) });
	return make("label", { class: "check" }, box, make("span", {}, text("share.withKey")));
}

/**
 * Returns the button and the confirmation of the copy.
 * @param {HTMLInputElement | HTMLTextAreaElement} field
 * @param {string} label id of the element that names the copied content
 */
function makeCopyButton(field, label) {
	const words = make("span", {}, text("share.copy"));
	const button = make("button", { "aria-describedby": label }, makeIcon("copy"), words);
	// Screen readers do not announce changes inside a button, so the status is outside.
	const status = make("span", { class: "unseen", role: "status" });
	button.addEventListener("click", async () => {
		field.select();
		// If the clipboard is not available (plain HTTP), the selected text can be copied by keyboard.
		const done = window.navigator.clipboard?.writeText(field.value) ?? Promise.reject();
		words.textContent = await done.then(
			() => text("share.copied"),
			() => text("share.copyByKey"),
		);
		status.textContent = words.textContent;
		window.setTimeout(() => {
			words.textContent = text("share.copy");
			status.textContent = "";
		}, COPIED_MS);
	});
	return [button, status];
}
