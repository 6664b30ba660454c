/** Scenarios of the search: `node search.mjs BASE_URL OUT_DIR [PART_OF_A_NAME]`. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { answerStatus, FAILED_REQUEST, runAsCalled } from "./harness.mjs";
import {
	brokenRules,
	hear,
	linkValue,
	noticeTexts,
	until,
	whenAtRest,
	whenFocused,
	whenLinkSays,
	whenNotice,
	whenShown,
} from "./tools.mjs";

/** @typedef {import("./harness.mjs").Page} Page */

/** @param {Page} page */
const field = (page) => page.getByRole("combobox", { name: "Search a place or coordinates" });

/** @param {Page} page */
const options = (page) => page.getByRole("listbox", { name: "Places found" }).getByRole("option");

/** Returns the view of the map in the link. @param {Page} page */
async function viewOf(page) {
	await whenAtRest(page);
	return (linkValue(page, "view") ?? "").split(",").map(Number);
}

await runAsCalled([
	[
		"22 a place is found by its name, in any of its languages, and shown with a mark",
		async ({ open, outDir }) => {
			const { page } = await open({ search: "?layer=ndvi" });
			await whenShown(page);
			await field(page).fill("anvers");
			await options(page).first().waitFor();
			await page.screenshot({ path: join(outDir, "search.png") });
			assert.match(
				(await options(page).first().textContent()) ?? "",
				/^Anvers \(Antwerp\)\s*Flanders, Belgium · town$/,
			);
			await options(page).first().click();
			await page.getByAltText("Anvers (Antwerp)").or(page.locator(".found-mark")).first().waitFor();

			const [lon, lat, zoom] = await viewOf(page);
			assert.ok(Math.abs(lon - 4.4) < 0.05 && Math.abs(lat - 51.22) < 0.05 && zoom >= 10, `${lon}, ${lat}, ${zoom}`);
			assert.equal(await field(page).inputValue(), "Anvers (Antwerp)");
			await field(page).fill("");
			await page.locator(".found-mark").waitFor({ state: "detached" });
		},
	],
	...["51.2, 4.4", "4.4E 51.2N", "51°12'N 4°24'E"].map(
		(words) =>
			/** @type {[string, import("./harness.mjs").Check]} */ ([
				`22 coordinates are a place: ${words}`,
				async ({ open }) => {
					const { page } = await open({ search: "?layer=ndvi" });
					await whenShown(page);
					await field(page).fill(words);
					await page.getByRole("option", { name: /^51.2° N, 4.4° E/ }).waitFor();
					await field(page).press("Enter");
					await page.locator(".found-mark").waitFor();

					assert.deepEqual((await viewOf(page)).slice(0, 2), [4.4, 51.2]);
				},
			]),
	),
	[
		"22 the list is gone through, taken and left by keys alone, and said to who does not see it",
		async ({ open }) => {
			const { page } = await open({ search: "?layer=ndvi" });
			await whenShown(page);
			await page.keyboard.press("/");
			await page.keyboard.type("lond");
			await options(page).nth(2).waitFor();
			assert.equal(await field(page).getAttribute("aria-expanded"), "true");
			const active = () => field(page).getAttribute("aria-activedescendant");
			const chosen = () =>
				page.locator("#search-results [role=option][aria-selected=true]").evaluateAll((all) => all.map(({ id }) => id));
			assert.deepEqual(await chosen(), [await active()]);
			const [first] = await chosen();
			await page.keyboard.press("ArrowDown");
			assert.deepEqual(await chosen(), [await active()]);
			assert.notEqual(await active(), first);
			await page.keyboard.press("ArrowUp");
			assert.equal(await active(), first);
			await page.keyboard.press("ArrowUp");
			assert.equal(await active(), await options(page).last().getAttribute("id"));
			assert.deepEqual(await brokenRules(page), []);

			await page.keyboard.press("Escape");
			assert.ok(await options(page).first().isHidden());
			assert.deepEqual([await field(page).getAttribute("aria-expanded"), await active()], ["false", null]);
			assert.equal(await field(page).inputValue(), "lond");

			await page.keyboard.type("on");
			await page.getByRole("option", { name: /London England, United Kingdom/ }).waitFor();
			const whenHeard = await hear(page);
			await page.keyboard.press("Enter");
			await whenHeard("The map shows London");
			const [lon, lat] = await viewOf(page);
			assert.ok(Math.abs(lon + 0.13) < 0.05 && Math.abs(lat - 51.5) < 0.05);
		},
	],
	[
		"22 what is not found is said, with what can be written",
		async ({ open }) => {
			const { page } = await open({ search: "?layer=ndvi" });
			await whenShown(page);
			await field(page).fill("qqqq <b>");
			await page.locator("#search-message").getByText("Nothing is called “qqqq <b>”.").waitFor();
			assert.equal(await field(page).getAttribute("aria-expanded"), "false");
			assert.deepEqual(await brokenRules(page), []);
			await field(page).press("Enter");
			assert.equal(await page.locator(".found-mark").count(), 0);
		},
	],
	[
		"22 without the names of places coordinates are still found",
		async ({ open }) => {
			const { page } = await open({
				search: "?layer=ndvi",
				allowed: FAILED_REQUEST,
				routes: { "/data/large\\.json": answerStatus(503) },
			});
			await whenShown(page);
			await field(page).fill("51.2, 4.4");
			await page.getByRole("option", { name: /^51.2° N, 4.4° E/ }).waitFor();
			await field(page).fill("gent");
			await whenNotice(page, /names of places could not be loaded/);
		},
	],
	[
		"22 names of places that could not be loaded are there for the next search",
		async ({ open }) => {
			let isAway = true;
			const { page } = await open({
				search: "?layer=ndvi",
				allowed: FAILED_REQUEST,
				routes: { "/data/large\\.json": (route) => (isAway ? answerStatus(503)(route) : route.fallback()) },
			});
			await whenShown(page);
			await field(page).fill("anvers");
			await page.locator("#search-message").getByText("Nothing is called “anvers”.").waitFor();
			isAway = false;
			await field(page).fill("gand");
			await page.getByRole("option", { name: /^Gand \(Gent\) Flanders, Belgium/ }).waitFor();

			assert.doesNotMatch((await noticeTexts(page)).join(), /coordinates can still be searched/);
		},
	],
	[
		"22 the names of places are loaded by who searches, once",
		async ({ open }) => {
			const { page, requests } = await open({ search: "?layer=ndvi&overlay=false" });
			await whenShown(page);
			const asked = () => requests.filter((url) => url.includes("data/large.json")).length;
			assert.equal(asked(), 0);
			await field(page).fill("ghe");
			await options(page).first().waitFor();
			await field(page).fill("gent");
			await page.getByRole("option", { name: /^Gent Flanders, Belgium/ }).waitFor();
			assert.equal(asked(), 1);
		},
	],
	...[
		["Tervuren, Belgium", /^Tervuren Flanders, Belgium · town$/, 4.51, 50.82],
		["Hulshout", /^Hulshout Flanders, Belgium · town$/, 4.79, 51.07],
		["Romania", /^Romania country$/, 25, 46],
		["Lisboa", /^Lisboa \(Lisbon\) Lisbon, Portugal · town$/, -9.15, 38.73],
		["Москва", /^Москва \(Moscow\) Moscow, Russia · town$/, 37.62, 55.75],
		["2800 Mechelen", /^Mechelen Flanders, Belgium · town$/, 4.48, 51.03],
		["31N 600000 5650000", /^50.99288° N, 4.42493° E coordinates$/, 4.42, 50.99],
		["31UES9992649933", /^50.9923° N, 4.42387° E coordinates$/, 4.42, 50.99],
		["lai of 16", /^LAI of 16 bits .*layer$/, 3.74, 51.04],
		["field 3", /^Field 3 Fields · place of this server$/, 3.73, 51.05],
	].map(
		([words, told, lon, lat]) =>
			/** @type {[string, import("./harness.mjs").Check]} */ ([
				`22 found by its words: ${words}`,
				async ({ open }) => {
					const { page } = await open({ search: "?layer=ndvi" });
					await whenShown(page);
					await field(page).fill(String(words));
					await options(page).first().waitFor();
					const option = page.getByRole("option", { name: /** @type {RegExp} */ (told) }).first();
					await option.waitFor();
					await option.click();

					await whenFocused(page, "map");
					const [x, y] = await viewOf(page);
					assert.ok(Math.abs(x - Number(lon)) < 1 && Math.abs(y - Number(lat)) < 1, `${x}, ${y}`);
				},
			]),
	),
	[
		"22 towns of one name are told apart by their regions, those near by first",
		async ({ open }) => {
			const { page } = await open({ search: "?layer=ndvi" });
			await whenShown(page);
			await field(page).fill("Waterloo");
			await options(page).nth(4).waitFor();
			const told = await options(page).allInnerTexts();

			assert.match(told[0], /Waterloo\s*Wallonia, Belgium/);
			assert.ok(told.length >= 5 && new Set(told).size === told.length, told.join("; "));
		},
	],
	[
		"22 what is found is charted by its second action, by pointer and by keys, and the map has the keys then",
		async ({ open }) => {
			const { page } = await open({ search: "?layer=ndvi" });
			await whenShown(page);
			await field(page).fill("51.04, 3.73");
			await options(page).first().locator(".chart-here").click();
			await whenLinkSays(page, "pt", "3.73,51.04");
			await page.locator("#chart").waitFor();

			await field(page).fill("51.05, 3.74");
			await options(page).first().waitFor();
			await field(page).press("Shift+Enter");
			await whenLinkSays(page, "pt", "3.74,51.05");
			await whenFocused(page, "map");
			const before = linkValue(page, "date");
			await page.keyboard.press("j");
			await until(page, async () => linkValue(page, "date") !== before);
			assert.notEqual(await field(page).inputValue(), "51.05, 3.74j");
		},
	],
	[
		"22 Enter pressed before the names are there takes the first when it comes, on a phone too",
		async ({ open }) => {
			const { page } = await open({ search: "?layer=ndvi", width: 390, height: 844 });
			await whenShown(page);
			await field(page).fill("Hulshout, België");
			await field(page).press("Enter");
			await whenFocused(page, "map");
			const [lon, lat] = await viewOf(page);
			assert.ok(Math.abs(lon - 4.79) < 0.05 && Math.abs(lat - 51.07) < 0.05, `${lon}, ${lat}`);
			await field(page).fill("Waterloo");
			await options(page).nth(4).waitFor();
			assert.deepEqual(await brokenRules(page), []);
		},
	],
	...[
		[{ lon: "4.7009", lat: "50.8796", display_name: "Naamsestraat 1, Leuven, België" }],
		{
			features: [
				{
					geometry: { coordinates: [4.7009, 50.8796] },
					properties: { name: "Naamsestraat 1", city: "Leuven", country: "België" },
				},
			],
		},
	].map(
		(answer, at) =>
			/** @type {[string, import("./harness.mjs").Check]} */ ([
				`22 the geocoder of the configuration is asked once the words are at rest: ${["Nominatim", "Photon"][at]}`,
				async ({ base, open }) => {
					const config = await (await fetch(new URL("viewer/config.json", base))).json();
					/** @type {string[]} */
					const asked = [];
					const { page } = await open({
						search: "?layer=ndvi",
						routes: {
							"/config\\.json": (route) =>
								route.fulfill({ json: { ...config, geocoder: { href: "/geocode?q={query}", attribution: "OSM" } } }),
							"/geocode": (route) => {
								asked.push(route.request().url());
								return route.fulfill({ json: answer });
							},
						},
					});
					await whenShown(page);
					await field(page).pressSequentially("naamsestraat 1");
					await page.getByRole("option", { name: /^Naamsestraat 1 Leuven, België · address$/ }).click();

					const [lon, lat] = await viewOf(page);
					assert.ok(Math.abs(lon - 4.7009) < 0.01 && Math.abs(lat - 50.8796) < 0.01, `${lon}, ${lat}`);
					assert.match(asked.at(-1) ?? "", /q=naamsestraat%201$/);
				},
			]),
	),
]);
