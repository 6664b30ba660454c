/** Buttons that copy the address or the code before them; without scripts they are not shown. */

/** How long a button shows that it copied, in milliseconds. */
const SAID_MS = 2000;

/**
 * Copies the text of an element, also on pages without HTTPS; if copying fails, the text remains selected.
 * @param {HTMLElement} source
 */
async function copyText(source) {
	getSelection()?.selectAllChildren(source);
	try {
		await navigator.clipboard.writeText(source.textContent ?? "");
		return true;
	} catch {
		return document.execCommand("copy");
	}
}

const announcement = document.querySelector("#copied");

for (const button of /** @type {NodeListOf<HTMLButtonElement>} */ (document.querySelectorAll("button.copy"))) {
	const source = /** @type {HTMLElement} */ (button.parentElement?.querySelector("code"));
	const label = /** @type {ChildNode} */ (button.firstChild);
	button.hidden = false;
	button.addEventListener("click", async () => {
		const said = (await copyText(source)) ? "Copied" : "Press Ctrl+C";
		label.textContent = said;
		if (announcement) announcement.textContent = said;
		setTimeout(() => {
			label.textContent = "Copy";
		}, SAID_MS);
	});
}
