/** Scenarios of finding dates and scenes of `test_find.py`. `node find.mjs BASE_URL OUT_DIR [PART_OF_A_NAME]`. */
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { answerStatus, FAILED_REQUEST, runAsCalled } from "./harness.mjs";
import { brokenRules, inspect, linkValue, until, whenAtRest, whenFocused, whenLinkSays, whenShown } from "./tools.mjs";

/** @typedef {import("./harness.mjs").Page} Page */
/** @typedef {import("./harness.mjs").OpenOptions} OpenOptions */

/** Number of scenes at Ghent, and per page of answers. */
const [COUNT, PAGE] = [23, 20];
const HOSTILE = "<img src=x onerror=document.title=1>";
const DAY_MS = 86_400_000;
const SEARCH = "/stac/search";

/** Returns the day of a scene at Ghent. @param {number} number */
const dayOf = (number) => new Date(Date.UTC(2023, 5, 1) + 5 * number * DAY_MS).toISOString().slice(0, 10);

/** Returns the date of a scene in the format of the panel. @param {number} number */
const writtenDay = (number) =>
	new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short", year: "numeric", timeZone: "UTC" }).format(
		Date.parse(dayOf(number)),
	);

/** @param {number} number */
const nameOf = (number) => (number === COUNT - 1 ? HOSTILE : `scene-${String(number).padStart(2, "0")}`);

/** @param {Page} page */
const rows = (page) => page.locator(".find-row");

/** Waits until the list has a number of rows and no request is pending. @param {Page} page @param {number} count */
const whenFound = (page, count) =>
	page.waitForFunction(
		(wanted) =>
			document.querySelector('.find-list[aria-busy="false"]') !== null &&
			document.querySelectorAll(".find-row").length === wanted,
		count,
	);

/**
 * @param {import("./harness.mjs").Bench["open"]} open
 * @param {string} layer
 * @param {number} count of rows
 * @param {OpenOptions} [options]
 */
async function openFind(open, layer, count, options = {}) {
	const opened = await open({ search: `?language=en&layer=${layer}`, ...options });
	await whenShown(opened.page);
	await opened.page.locator("#find-button").evaluate((button) => /** @type {HTMLElement} */ (button).click());
	await whenFound(opened.page, count);
	return opened;
}

/** Returns the search requests. @param {string[]} requests */
const searches = (requests) => requests.map((url) => new URL(url)).filter(({ pathname }) => pathname === SEARCH);

/**
 * Returns the bounding box on the page of all highlighted outlines, or of all others.
 * @param {Page} page
 * @param {boolean} isStrong
 */
const outlineBox = (page, isStrong) =>
	page.evaluate((strong) => {
		const paths = [...document.querySelectorAll(".leaflet-footprints-pane path")].filter(
			(path) => (path.getAttribute("fill") !== "none") === strong,
		);
		const boxes = paths.map((path) => path.getBoundingClientRect());
		return {
			count: boxes.length,
			left: Math.min(...boxes.map(({ left }) => left)),
			right: Math.max(...boxes.map(({ right }) => right)),
			top: Math.min(...boxes.map(({ top }) => top)),
			bottom: Math.max(...boxes.map(({ bottom }) => bottom)),
		};
	}, isStrong);

/** Returns the pixel of a point on the page. @param {Page} page @param {number} lon @param {number} lat */
async function pixelOf(page, lon, lat) {
	const box = await page.locator("#map").boundingBox();
	const [viewLon, viewLat, zoom] = (linkValue(page, "view") ?? "").split(",").map(Number);
	assert.ok(box);
	const world = 256 * 2 ** zoom;
	const down = (/** @type {number} */ degrees) => Math.asinh(Math.tan((degrees * Math.PI) / 180)) / (2 * Math.PI);
	const turn = Math.round((viewLon - lon) / 360) * 360;
	return {
		x: box.x + box.width / 2 + ((lon + turn - viewLon) / 360) * world,
		y: box.y + box.height / 2 - (down(lat) - down(viewLat)) * world,
	};
}

await runAsCalled([
	[
		"nothing is asked while the panel is closed; open, it lists the newest scenes with their clouds and pictures",
		async ({ open, outDir }) => {
			const { page, requests } = await open({ search: "?language=en&layer=scenes" });
			await whenShown(page);
			await whenAtRest(page, "#map");
			assert.deepEqual(searches(requests), []);
			await page.keyboard.press("f");
			await whenFound(page, PAGE);
			assert.equal(await page.locator("#find-button").getAttribute("aria-expanded"), "true");
			assert.equal(await page.locator(".find-told").textContent(), `${PAGE} of ${COUNT}, newest first`);
			await page.getByText("In the area of the map, of “Scenes of Ghent”.").waitFor();
			for (let at = 0; at < PAGE; at += 1) {
				const number = COUNT - 1 - at;
				const words = await rows(page).nth(at).locator(".find-words > *").allTextContents();
				assert.deepEqual(words, [`${writtenDay(number)}, 10:50 UTC`, nameOf(number), `${4 * number}% cloud`]);
			}
			assert.equal(await page.locator(".find-row img[src='x']").count(), 0);
			assert.notEqual(await page.title(), "1");
			// The server has a picture of 64 pixels for each.
			await page.waitForFunction(
				() => /** @type {HTMLImageElement | null} */ (document.querySelector(".find-row img"))?.naturalWidth === 64,
			);
			await page.screenshot({ path: join(outDir, "find.png") });
		},
	],
	[
		"more leads to the rest, each scene once, with the focus on the first new one",
		async ({ open }) => {
			const { page, requests } = await openFind(open, "scenes", PAGE);
			await page.getByRole("button", { name: "Show more" }).focus();
			await page.keyboard.press("Enter");
			await whenFound(page, COUNT);
			assert.equal(await page.locator(".find-told").textContent(), `${COUNT} of ${COUNT}, newest first`);
			const names = await page.locator(".find-name").allTextContents();
			assert.deepEqual(
				names,
				Array.from({ length: COUNT }, (_, at) => nameOf(COUNT - 1 - at)),
			);
			assert.equal(await page.evaluate(() => document.activeElement?.textContent?.includes("scene-02")), true);
			assert.equal(await page.getByRole("button", { name: "Show more" }).isVisible(), false);
			assert.equal(searches(requests).length, 2);
		},
	],
	[
		"a click and Enter show the date of a scene, and the list tells which one is shown",
		async ({ open }) => {
			const { page } = await openFind(open, "scenes", PAGE);
			await rows(page).nth(4).locator(".find-show").click();
			await whenLinkSays(page, "date", dayOf(COUNT - 5));
			await page.locator('.find-row:nth-child(5) > [aria-current="date"]').waitFor();
			await rows(page).nth(1).locator(".find-show").focus();
			await page.keyboard.press("Enter");
			await whenLinkSays(page, "date", dayOf(COUNT - 2));
			assert.equal(await page.locator('[aria-current="date"]').count(), 1);
			await page.locator("#timeline [data-part=previous]").click();
			await page.locator('.find-row:nth-child(3) > [aria-current="date"]').waitFor();
		},
	],
	[
		"a scene is on its day by the sun",
		async ({ open }) => {
			const { page } = await openFind(open, "fiji", 2);
			assert.deepEqual(await page.locator(".find-name").allTextContents(), ["fiji 22", "fiji 10"]);
			await rows(page).nth(1).locator(".find-show").click();
			await whenLinkSays(page, "date", "2023-06-01");
			await page.locator('.find-row:nth-child(2) > [aria-current="date"]').waitFor();
			await rows(page).nth(0).locator(".find-show").click();
			await whenLinkSays(page, "date", "2023-06-02");
		},
	],
	[
		"a scene that is newer than the dates that the page knows has them loaded again",
		async ({ open }) => {
			let isOld = true;
			const { page } = await openFind(open, "scenes", PAGE, {
				routes: {
					"^/layers/scenes/times": async (route) => {
						// The server may close an idle connection.
						const answer = await route.fetch({ maxRetries: 3 });
						const body = await answer.json();
						const last = isOld ? COUNT - 1 : COUNT;
						isOld = false;
						for (const name of ["times", "ends", "valid_shares"]) body[name] = body[name].slice(0, last);
						// Like a server that has not counted the scenes, which then receives a request for the newest clear one.
						body.valid_shares.fill(null);
						await route.fulfill({ response: answer, json: body });
					},
				},
			});
			assert.equal(linkValue(page, "date"), dayOf(COUNT - 2));
			await rows(page).nth(0).locator(".find-show").click();
			await whenLinkSays(page, "date", dayOf(COUNT - 1));
			assert.equal(await page.locator("#notices li").count(), 0);
		},
	],
	[
		"days and clouds leave out the others",
		async ({ open }) => {
			const { page } = await openFind(open, "scenes", PAGE, { allowed: FAILED_REQUEST });
			await page.locator("#find-from").fill(dayOf(3));
			await page.locator("#find-to").fill(dayOf(9));
			await page.locator("#find-to").blur();
			await whenFound(page, 7);
			await page.locator("#find-cloud").fill("20");
			await whenFound(page, 3);
			assert.deepEqual(await page.locator(".find-name").allTextContents(), [5, 4, 3].map(nameOf));
			await page.locator("#find-from").fill(dayOf(COUNT + 9));
			await page.locator("#find-from").blur();
			await page.getByText("The search failed. The server says: the interval").waitFor();
			await page.locator("#find-to").fill("");
			await page.locator("#find-to").blur();
			await page.getByText("Nothing found. Move the map or change the dates.").waitFor();
		},
	],
	[
		"when the map moves on what was asked is aborted, and where it rests is asked once",
		async ({ open }) => {
			const { page, requests } = await openFind(open, "scenes", PAGE);
			const aborted = /** @type {string[]} */ ([]);
			page.on("requestfailed", (request) => aborted.push(request.url()));
			let isHeld = true;
			await page.route(
				(url) => url.pathname === SEARCH && isHeld,
				() => {},
			);
			const before = searches(requests).length;
			await page.locator("#map").focus();
			await page.keyboard.press("ArrowRight");
			await until(page, () => searches(requests).length === before + 1);
			isHeld = false;
			await inspect(page);
			await page.evaluate(() => {
				const state = /** @type {any} */ (window).parts;
				for (const lon of [5, 6, 7, 8, 9]) state.destination.value = { view: { lon, lat: 51, zoom: 12 } };
			});
			await page.getByText("Nothing found. Move the map or change the dates.").waitFor();
			await whenAtRest(page, "#map");
			await until(page, () => searches(aborted).length >= 1);
			const asked = searches(requests);
			assert.equal(asked.length, before + 2);
			const [west] = (asked.at(-1)?.searchParams.get("bbox") ?? "").split(",").map(Number);
			assert.ok(Math.abs(west - Number(linkValue(page, "bbox")?.split(",")[0])) < 1e-4);
			assert.equal((await outlineBox(page, false)).count, 0);
		},
	],
	[
		"outlines lie where the scenes are; that under the pointer or with the focus stands out, and goes with the panel",
		async ({ open }) => {
			const { page, requests } = await openFind(open, "scenes", PAGE);
			await whenAtRest(page, "#map", ".leaflet-footprints-pane path");
			assert.ok((await outlineBox(page, false)).count >= PAGE);
			const answer = await fetch(searches(requests)[0]);
			const { features } = await answer.json();
			for (const [at, act] of /** @type {const} */ ([
				[2, "hover"],
				[7, "focus"],
			])) {
				if (act === "focus") await page.mouse.move(900, 300);
				await rows(page).nth(at).locator(".find-show")[act]();
				await page.waitForFunction(() => document.querySelector('.leaflet-footprints-pane path:not([fill="none"])'));
				const [west, south, east, north] = features[at].bbox;
				const [one, other] = [await pixelOf(page, west, north), await pixelOf(page, east, south)];
				const box = await outlineBox(page, true);
				for (const [found, wanted] of [
					[box.left, one.x],
					[box.top, one.y],
					[box.right, other.x],
					[box.bottom, other.y],
				]) {
					assert.ok(Math.abs(found - wanted) < 5, `${act}: ${JSON.stringify(box)}, not ${wanted}`);
				}
			}
			await page.locator("#find-panel .find-head button").click();
			await whenFocused(page, "find-button");
			assert.equal((await outlineBox(page, false)).count + (await outlineBox(page, true)).count, 0);
			await page.locator("#layer").waitFor();
		},
	],
	[
		"an outline across 180 degrees is drawn on both sides of them",
		async ({ open, outDir }) => {
			const { page } = await openFind(open, "fiji", 2);
			await rows(page).first().locator(".find-show").focus();
			await page.waitForFunction(() => document.querySelector('.leaflet-footprints-pane path:not([fill="none"])'));
			await whenAtRest(page, "#map", ".leaflet-footprints-pane path");
			const map = await page.locator("#map").boundingBox();
			const middle = await pixelOf(page, 180, -17);
			assert.ok(map && middle.x > map.x && middle.x < map.x + map.width);
			const widths = await page.evaluate((at) => {
				const boxes = [...document.querySelectorAll('.leaflet-footprints-pane path:not([fill="none"])')].map((path) =>
					path.getBoundingClientRect(),
				);
				const wide = boxes.filter(({ width }) => width > 20);
				return {
					west: wide.some(({ left, right }) => left < at - 20 && right < at + 10),
					east: wide.some(({ left, right }) => left > at - 10 && right > at + 20),
				};
			}, middle.x);
			assert.deepEqual(widths, { west: true, east: true });
			await page.screenshot({ path: join(outDir, "find-fiji.png") });
		},
	],
	[
		"files of a scene are saved as they are, and the values of a date without files",
		async ({ open }) => {
			const { page } = await openFind(open, "scenes", PAGE);
			for (const at of [0, 3]) {
				const link = rows(page).nth(at).locator("a.find-save");
				const address = await link.evaluate((element) => /** @type {HTMLAnchorElement} */ (element).href);
				const [download] = await Promise.all([page.waitForEvent("download"), link.click()]);
				const answer = await fetch(address);
				assert.ok(answer.ok, `${address} answered ${answer.status}`);
				const wanted = Buffer.from(await answer.arrayBuffer());
				assert.ok((await readFile(await download.path())).equals(wanted));
				assert.equal(wanted.subarray(0, 2).toString(), "PK");
			}

			const { page: other } = await openFind(open, "cube", 12);
			const link = rows(other).nth(2).locator("a.find-save");
			assert.match((await link.getAttribute("aria-label")) ?? "", /^Download the values .* of 15 Feb 2019/);
			const [download] = await Promise.all([other.waitForEvent("download"), link.click()]);
			assert.match((await readFile(await download.path())).subarray(0, 2).toString(), /II|MM/);
		},
	],
	[
		"errors are told in the server's words, and what is left out is named",
		async ({ open }) => {
			const allowed = FAILED_REQUEST;
			let isAway = true;
			const { page } = await openFind(open, "scenes", 0, {
				allowed,
				routes: {
					"^/stac/search": (route) => (isAway ? answerStatus(503, "The index is away.")(route) : route.continue()),
					"^/products/": answerStatus(429, "Too many downloads."),
				},
			});
			await page.getByText("The search failed. The server says: The index is away.").waitFor();
			isAway = false;
			await page.locator("#find-panel").getByRole("button", { name: "Try again" }).click();
			await whenFound(page, PAGE);
			await rows(page).nth(1).locator("a.find-save").click();
			await rows(page).nth(1).getByText("The server says: Too many downloads.").waitFor();

			const { page: other } = await openFind(open, "scenes", 0, {
				routes: {
					"^/stac/search": (route) =>
						route.fulfill({
							contentType: "application/geo+json",
							body: JSON.stringify({
								type: "FeatureCollection",
								features: [],
								unanswered: [
									{ collection: "scenes_data", reason: "<b>no answer</b> in 5 s", partial: false },
									{ collection: "tiles", reason: "not yet read", partial: true },
								],
							}),
						}),
				},
			});
			const told = "scenes_data is left out: <b>no answer</b> in 5 s Not all of tiles is listed: not yet read";
			await other.getByText(told).waitFor();
		},
	],
	[
		"dates of a cube are found, and another layer has its own collection",
		async ({ open }) => {
			const { page, requests } = await openFind(open, "cube", 12);
			assert.deepEqual(await page.locator(".find-words > strong").first().textContent(), "25 Feb 2019");
			assert.equal(await page.locator(".find-name").count(), 0);
			assert.equal(await page.locator("#find-cloud").isVisible(), false);
			await rows(page).nth(11).locator(".find-show").click();
			await whenLinkSays(page, "date", "2019-01-01");
			await page.locator("#find-button").click();
			await page.locator("#layer").click();
			await page.locator('.layer-choice[data-layer="scenes"]').click();
			await page.locator("#find-button").click();
			await whenFound(page, PAGE);
			assert.equal(searches(requests).at(-1)?.searchParams.get("collections"), "scenes_data");
		},
	],
	[
		"the feed has an address that can be copied",
		async ({ base, open }) => {
			const { page } = await openFind(open, "scenes", PAGE);
			await page.locator(".find-feed > summary").click();
			const address = new URL("stac/collections/scenes_data/feed.atom", base).href;
			assert.equal(await page.locator("#find-feed").inputValue(), address);
			const link = page.getByRole("link", { name: "Open the feed" });
			assert.equal(await link.evaluate((element) => /** @type {HTMLAnchorElement} */ (element).href), address);
			const feed = await fetch(address);
			assert.match(feed.headers.get("content-type") ?? "", /^application\/atom\+xml/);
		},
	],
	...["light", "dark"].map(
		(scheme) =>
			/** @type {[string, import("./harness.mjs").Check]} */ ([
				`no rule of accessibility is broken, in ${scheme} colours and on a phone`,
				async ({ open, outDir }) => {
					const colours = { scheme: /** @type {"light" | "dark"} */ (scheme) };
					const { page } = await openFind(open, "scenes", PAGE, colours);
					await page.locator(".find-feed > summary").click();
					await page.screenshot({ path: join(outDir, `find-feed-${scheme}.png`) });
					await rows(page).nth(1).locator(".find-show").click();
					assert.deepEqual(await brokenRules(page), []);

					const phone = { ...colours, width: 390, height: 844 };
					const { page: small } = await openFind(open, "scenes", PAGE, phone);
					assert.equal(await small.locator("#sheet").getAttribute("data-stop"), "middle");
					assert.deepEqual(await brokenRules(small), []);
					await rows(small).nth(2).locator(".find-show").click();
					await whenLinkSays(small, "date", dayOf(COUNT - 3));
					const isWide = () => document.documentElement.scrollWidth > window.innerWidth;
					assert.equal(await small.evaluate(isWide), false);
					await small.screenshot({ path: join(outDir, `find-phone-${scheme}.png`) });
				},
			]),
	),
]);
