/** The dialog of saved views: list, names, order, and export as a story. */
import { openDialog } from "../base/dialog.js";
import { make, makeIconButton, makeWordButton } from "../base/elements.js";
import { addressOf, addressOfStory, parseLink, withoutKey } from "../base/permalink.js";
import { chooseFiles, saveFile } from "../base/save.js";
import { layer, link, shownDate, storiesOpened } from "../base/state.js";
import { text } from "../base/text.js";
import { makeArea, makeCopyField, makeInput } from "../shell/share.js";
import { effect } from "../vendor/signals-core.js";
import { formatStory, MAX_FILE, MAX_TEXT, MAX_TITLE, packStory, parseStory, viewLink } from "./story.js";
import { keep, openStory, saved, startPlayer } from "./story-player.js";

/** @typedef {import("./story.js").View} View */

/** Plays the story of the address, and opens the dialog on request. */
export function startStories() {
	startPlayer();
	effect(() => {
		if (storiesOpened.value > 0) openStories();
	});
}

function openStories() {
	const statusLine = make("p", { role: "status" });
	const list = make("ol", { class: "story-views" });
	const handing = make("div", { class: "story-handing" });
	const set = (/** @type {View[]} */ views, title = saved.peek().title) => {
		statusLine.textContent = keep({ title, views }) ? "" : text("stories.full");
	};
	const add = () => {
		const now = link.peek();
		if (!now) return;
		const title = [layer.peek()?.title, shownDate.peek()].filter(Boolean).join(", ").slice(0, MAX_TITLE);
		set([...saved.peek().views, { title, text: "", link: viewLink(now) }]);
		draw();
	};
	const adding = makeWordButton("plus", text("stories.add"), add);
	const opening = makeWordButton("upload", text("stories.open"), () => chooseStory(close));
	const about = make("p", { class: "hint" }, text("stories.about"));
	const buttons = make("div", { class: "row" }, adding, opening);
	const { close } = openDialog(text("stories.title"), about, buttons, statusLine, list, handing);
	const draw = () => {
		const { title, views } = saved.peek();
		list.replaceChildren(...views.map((view, index) => makeItem(view, index)));
		handing.replaceChildren(...(views.length === 0 ? [] : makeHanding(title)));
		void tellLink();
	};
	/** @param {number} index @param {Partial<View>} changes */
	const change = (index, changes) => {
		set(saved.peek().views.map((each, at) => (at === index ? { ...each, ...changes } : each)));
		void tellLink();
	};
	/** @param {number} from @param {number} to */
	const move = (from, to) => {
		const views = [...saved.peek().views];
		views.splice(to, 0, ...views.splice(from, 1));
		set(views);
		draw();
		/** @type {HTMLElement | null} */ (
			list.children[to]?.querySelector(`[data-part=${to < from ? "up" : "down"}]:not(:disabled)`) ??
				list.children[to]?.querySelector("input")
		)?.focus();
	};
	/** @param {View} view @param {number} index */
	function makeItem({ title, text: notes }, index) {
		const { views } = saved.peek();
		const name = make("input", {
			type: "text",
			value: title,
			maxlength: MAX_TITLE,
			"aria-label": text("stories.viewTitle"),
			onchange: () => change(index, { title: name.value }),
		});
		const area = makeArea(notes, 2, {
			maxlength: MAX_TEXT,
			"aria-label": text("stories.notes"),
			placeholder: text("stories.notes"),
			onchange: () => change(index, { text: area.value }),
		});
		const show = () => {
			close();
			openStory(saved.peek(), index);
		};
		const remove = () => {
			set(saved.peek().views.filter((_, at) => at !== index));
			draw();
			/** @type {HTMLElement | null} */ (list.querySelector("input"))?.focus();
		};
		const placeholders = { title };
		const step = (/** @type {"up" | "down"} */ part, /** @type {number} */ to) =>
			makeIconButton(`chevron-${part}`, text(`stories.${part}`, placeholders), () => move(index, to), {
				disabled: !views[to],
				"data-part": part,
			});
		const eye = makeIconButton("eye", text("stories.show", placeholders), show);
		const trash = makeIconButton("trash", text("stories.remove", placeholders), remove);
		const row = make("div", { class: "row" }, name, eye, step("up", index - 1), step("down", index + 1), trash);
		return make("li", {}, row, area);
	}
	const address = makeInput("");
	const tooLarge = make("p", { class: "hint", hidden: true }, text("stories.tooLarge"));
	/** @param {string} title */
	function makeHanding(title) {
		const name = make("input", {
			type: "text",
			id: "story-title",
			value: title,
			maxlength: MAX_TITLE,
			onchange: () => {
				set(saved.peek().views, name.value);
				void tellLink();
			},
		});
		const play = () => {
			close();
			openStory(saved.peek());
		};
		const save = () =>
			saveFile(new Blob([formatStory(saved.peek())], { type: "application/json" }), `${text("stories.fileName")}.json`);
		const playing = makeWordButton("play", text("stories.play"), play);
		const saving = makeWordButton("download", text("stories.file"), save);
		return [
			make("div", { class: "field" }, make("label", { for: "story-title" }, text("stories.name")), name),
			make("div", { class: "row" }, playing, saving),
			makeCopyField("story-link", text("share.link"), address),
			tooLarge,
		];
	}
	async function tellLink() {
		const [first] = saved.peek().views;
		const packed = first ? await packStory(saved.peek()) : null;
		address.value = packed && first ? addressOfStory(withoutKey(addressOf(parseLink(first.link).link)), packed) : "";
		/** @type {HTMLElement | null} */ (address.closest(".field"))?.toggleAttribute("hidden", packed === null);
		tooLarge.hidden = packed !== null;
	}
	draw();
}

/** Opens a file dialog and plays the file. @param {() => void} done */
const chooseStory = (done) =>
	chooseFiles({ accept: ".json,application/json" }, async ([file]) => {
		done();
		openStory(file.size > MAX_FILE ? null : parseStory(await file.text()));
	});
