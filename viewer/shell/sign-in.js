/** Signing in and out: the button in the header, and the session, which is renewed before it ends. */

import { endSession, fetchSession, renewSession, signInAddress } from "../base/api.js";
import { openDialog } from "../base/dialog.js";
import { make, makeButton } from "../base/elements.js";
import { addressOf, leaveTo, readAddress } from "../base/permalink.js";
import { applyLink, dismiss, link, missed, notify, openCatalogue } from "../base/state.js";
import { text } from "../base/text.js";
import { effect } from "../vendor/signals-core.js";

/** @typedef {import("../base/api.js").Session} Session */

/** A session is renewed this long before its end; a shorter one after half of its time. */
const EARLY_S = 60;
const RETRY_S = 30;
/** Longest wait of a timer. */
const MOST_S = 86_400;
const NOTICE = "session";

const { signal: never } = new AbortController();
const here = () => addressOf(link.peek() ?? readAddress().link);

/** Signs in and returns to the layer of the link, which was not visible before. */
function enter() {
	const asked = missed.peek();
	leaveTo(signInAddress(asked && asked.instead === link.peek()?.layer ? addressOf(asked.link) : here()));
}

/** @param {HTMLElement} button */
export async function startSignIn(button) {
	const words = make("span", { class: "user-name" });
	button.querySelector("span")?.replaceWith(words);
	let session = await fetchSession(never);
	let endsAt = 0;
	const show = (/** @type {Session} */ next) => {
		session = next;
		words.textContent = next.name ?? text("signIn.in");
		button.title = next.name ? text("signIn.as", { name: next.name }) : words.textContent;
		endsAt = Date.now() + 1000 * next.expires_in;
		if (next.signed_in) keepAfter(Math.max(next.expires_in - EARLY_S, next.expires_in / 2));
	};
	const keepAfter = (/** @type {number} */ seconds) =>
		window.setTimeout(() => void keep(), 1000 * Math.min(MOST_S, seconds));
	const keep = async () => {
		const next = await renewSession(never).catch(() => null);
		if (!next) return void keepAfter(RETRY_S);
		const hadEnded = Date.now() > endsAt;
		show(next);
		if (next.signed_in) dismiss(NOTICE);
		else notify(NOTICE, text("signIn.ended"), { label: text("signIn.in"), run: enter });
		if (hadEnded || !next.signed_in) reopen();
	};
	show(session);
	effect(() => {
		if (missed.value && !session.signed_in)
			notify("layer", missed.value.message, { label: text("signIn.in"), run: enter });
	});
	if (!session.signed_in && session.renewable) void keep();
	button.addEventListener("click", () => (session.signed_in ? openAccount(session.name ?? "") : enter()));
	button.hidden = false;
}

/** Loads the layers again, because the user may see more or fewer now. */
function reopen() {
	const { link: asked } = readAddress();
	applyLink(asked);
	void openCatalogue(asked);
}

/** @param {string} name */
function openAccount(name) {
	const leave = makeButton(text("signIn.out"), () =>
		endSession(never).then(
			(address) => leaveTo(address ?? here()),
			(error) => notify(NOTICE, error.message),
		),
	);
	return openDialog(text("signIn.as", { name }), leave);
}
