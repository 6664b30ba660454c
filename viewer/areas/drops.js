/** Files dropped on the page; the module that reads and writes files of areas is loaded when needed. */
import { startPart } from "../base/parts.js";

/** @param {(transfer: typeof import("./transfer.js")) => unknown} use */
export const useTransfer = (use) => startPart("files of areas", async () => use(await import("./transfer.js")));

/**
 * Accepts files dropped anywhere on the page, and shows a frame while they are dragged over it.
 * @param {HTMLElement} frame that shows so
 */
export function startDrops(frame) {
	let depth = 0;
	const show = (/** @type {number} */ next) => {
		depth = Math.max(0, next);
		frame.toggleAttribute("data-drop", depth > 0);
	};
	/** @type {(kind: "dragenter" | "dragleave" | "dragover" | "drop", act: (event: DragEvent) => void) => void} */
	const onFiles = (kind, act) =>
		document.addEventListener(kind, (event) => {
			if (event.dataTransfer?.types.includes("Files")) act(event);
		});
	onFiles("dragenter", () => show(depth + 1));
	onFiles("dragleave", () => show(depth - 1));
	onFiles("dragover", (event) => event.preventDefault());
	onFiles("drop", (event) => {
		event.preventDefault();
		show(0);
		const files = [...(event.dataTransfer?.files ?? [])];
		void useTransfer(({ takeFiles }) => void takeFiles(files));
	});
}
