/**
 * Frames of the viewer for the picture of the README: `node viewer.mjs BASE_URL FOLDER`, called by make.py.
 * Each frame is named after the milliseconds that it is shown: `007-120.png`.
 */
import { join } from "node:path";
import { chromium } from "playwright-core";
import { FLAGS, findChromium } from "../../tests/viewer/browser/harness.mjs";
import { whenAtRest, whenShown } from "../../tests/viewer/browser/tools.mjs";

const [base, folder] = process.argv.slice(2);
const FIELD = "4.348,51.005";
const LINK = `?language=en&layer=NDVI&date=2022-01-01&view=4.42,50.98,10&pt=${FIELD}&from=2022-01-01&to=2023-12-31`;
const DATES = 36;

const browser = await chromium.launch({ executablePath: await findChromium(), args: FLAGS });
const page = await browser.newPage({ viewport: { width: 1180, height: 820 }, deviceScaleFactor: 1 });
await page.goto(new URL(`viewer/${LINK}`, base).href);
await whenShown(page);
await whenAtRest(page);

let count = 0;
/** @param {number} shownMs */
async function frame(shownMs) {
	await page.screenshot({ path: join(folder, `${String(count).padStart(3, "0")}-${shownMs}.png`) });
	count += 1;
}

await frame(800);
const strip = page.locator("#timeline [role=slider]").first();
await strip.focus();
for (let date = 1; date <= DATES; date += 1) {
	await page.keyboard.press("ArrowRight");
	await whenShown(page);
	await frame(110);
}
await frame(1200);
await browser.close();
