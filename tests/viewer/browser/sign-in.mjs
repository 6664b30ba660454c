/**
 * Signing in and out, with a private layer and a provider whose users sign in immediately: `node sign-in.mjs
 * BASE_URL OUT_DIR [PART_OF_A_NAME]`.
 */
import assert from "node:assert/strict";
import { join } from "node:path";
import { FAILED_REQUEST, runAsCalled } from "./harness.mjs";
import { chooseLayer, linkValue, whenAtRest, whenLinkSays, whenNotice, whenShown } from "./tools.mjs";

/** @typedef {import("playwright-core").Page} Page */
/** @typedef {import("./harness.mjs").Opened} Opened */

/** The button that opens the provider, and the name of its user. */
const BUTTON = "#sign-in-button";
const NAME = "Ann <Surveyor>";

/** Layers of the list that the viewer has. @param {Page} page */
async function listed(page) {
	const { layers } = await page.evaluate(async () => (await fetch("../layers")).json());
	return layers.map((/** @type {{ id: string }} */ { id }) => id).sort();
}

/** @param {Page} page */
const whenSignedOut = (page) => page.locator(BUTTON).getByText("Sign in", { exact: true }).waitFor();

/** @param {Page} page */
async function signIn(page) {
	await whenSignedOut(page);
	await page.locator(BUTTON).click();
	await page.locator(BUTTON).getByText(NAME).waitFor();
}

/** Waits until pictures of a layer are drawn. @param {Page} page @param {string} id */
async function whenDrawn(page, id) {
	await whenLinkSays(page, "layer", id);
	await whenShown(page);
	await page.waitForFunction(() =>
		[...document.querySelectorAll(".data-tiles :is(img, canvas).leaflet-tile-loaded")].some((tile) =>
			tile instanceof HTMLImageElement ? tile.naturalWidth > 0 : /** @type {HTMLCanvasElement} */ (tile).width > 1,
		),
	);
}

/** Allows the provider, which is another server: the page goes there, and to no other one. @param {Opened} opened */
function allowProvider({ faults }) {
	for (let index = faults.length - 1; index >= 0; index -= 1) {
		if (/^a request left for http:\/\/127\.0\.0\.1:\d+$/.test(faults[index])) faults.splice(index, 1);
	}
}

await runAsCalled([
	[
		"who signs in comes back to the view, sees a private layer, and is told so when sharing it",
		async ({ open, outDir }) => {
			const opened = await open({ search: "?layer=NDVI&language=en", allowed: FAILED_REQUEST });
			const { page } = opened;
			await whenDrawn(page, "NDVI");
			assert.deepEqual(await listed(page), ["NDVI"]);
			await signIn(page);
			assert.equal(linkValue(page, "layer"), "NDVI");

			await chooseLayer(page, "SECRET");
			await whenDrawn(page, "SECRET");
			await page.screenshot({ path: join(outDir, "signed-in.png") });
			assert.equal(await page.evaluate(() => document.cookie), "");
			await page.locator("#share-button").click();
			await page.getByText(/^Not public: SECRET/i).waitFor();
			await page.keyboard.press("Escape");
			allowProvider(opened);
		},
	],
	[
		"a session is renewed before it ends, and an old one when the viewer is opened",
		async ({ base, open, outDir }) => {
			const opened = await open({ search: "?layer=NDVI", allowed: FAILED_REQUEST });
			const { page } = opened;
			await signIn(page);
			const cookies = await page.context().cookies();
			for (let times = 0; times < 2; times += 1) {
				const answer = await page.waitForResponse((response) => response.url().endsWith("/signin/renew"));
				assert.equal((await answer.json()).signed_in, true);
			}
			assert.deepEqual(await listed(page), ["NDVI", "SECRET"]);
			await page.goto(new URL("layers", base).href);
			// The session is no longer renewed.
			await page.waitForFunction(async () => !(await (await fetch("signin/session")).json()).signed_in, null, {
				polling: 500,
			});

			await page.goto(new URL("viewer/?layer=SECRET", base).href);
			await whenDrawn(page, "SECRET");
			await page.locator(BUTTON).getByText(NAME).waitFor();
			assert.deepEqual(await page.context().cookies(), cookies);
			await page.setViewportSize({ width: 390, height: 800 });
			await page.locator("#menu-button").click();
			await whenAtRest(page, "#tools");
			await page.screenshot({ path: join(outDir, "phone.png") });
			allowProvider(opened);
		},
	],
	[
		"who signs out sees what is public",
		async ({ open }) => {
			const opened = await open({ search: "?layer=NDVI", allowed: FAILED_REQUEST });
			const { page } = opened;
			await signIn(page);
			await page.locator(BUTTON).click();
			await page.getByRole("heading", { name: `Signed in as ${NAME}` }).waitFor();
			await page.getByRole("button", { name: "Sign out" }).click();

			await whenSignedOut(page);
			assert.deepEqual(await listed(page), ["NDVI"]);
			assert.deepEqual(await page.context().cookies(), []);
			allowProvider(opened);
		},
	],
	[
		"a session that ends elsewhere is reported, and the public layers stay",
		async ({ open }) => {
			const opened = await open({ search: "?layer=NDVI", allowed: FAILED_REQUEST });
			const { page } = opened;
			await signIn(page);
			await chooseLayer(page, "SECRET");
			await whenDrawn(page, "SECRET");
			await page.context().clearCookies();

			await whenNotice(page, /Your session has ended/);
			await whenSignedOut(page);
			await whenDrawn(page, "NDVI");
			await page.locator("#notices").getByRole("button", { name: "Sign in" }).first().click();
			await page.locator(BUTTON).getByText(NAME).waitFor();
			await whenDrawn(page, "SECRET");
			allowProvider(opened);
		},
	],
	[
		"who opens a link to a private layer may sign in and then sees it",
		async ({ open }) => {
			const opened = await open({ search: "?layer=SECRET&language=en", allowed: FAILED_REQUEST });
			const { page } = opened;
			await whenDrawn(page, "NDVI");
			await whenNotice(page, /Layer SECRET does not exist/);
			await page.locator("#notices").getByRole("button", { name: "Sign in" }).click();

			await page.locator(BUTTON).getByText(NAME).waitFor();
			await whenDrawn(page, "SECRET");
			assert.equal(await page.locator("#notices").getByText("does not exist").count(), 0);
			allowProvider(opened);
		},
	],
]);
