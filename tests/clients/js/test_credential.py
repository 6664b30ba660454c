"""Tokens of the npm package, in Node: calls of the token function, and requests with its token."""

import json
import subprocess
from pathlib import Path

import pytest

MODULE = Path(__file__).parents[3] / "clients/js/src/credential.js"
SCRIPT = """
    const { Credential } = await import(process.argv[1]);
    const server = "https://maps.example.org";
    const webToken = (seconds) => `e30.${btoa(JSON.stringify({ exp: Date.now() / 1000 + seconds }))}.a`;
    /** The tokens that are sent for so many requests at once, then for one more; "refused" is refused. */
    async function sent(source, url, count = 1) {
        const credential = new Credential(source, server);
        const all = [];
        const send = async ({ Authorization = "none" }) => all.push(Authorization) && Authorization;
        const sign = () => credential.sign(url, send, (answer) => answer === "Bearer refused");
        await Promise.all(Array.from({ length: count }, sign));
        await sign();
        return all;
    }
    const own = `${server}/layers`;
    let calls = 0;
    const [long, short] = [webToken(3600), webToken(5)];
    const given = [short, long, "unused"];
    const refused = [];
    const found = {
        key: await sent(" key\\n", own),
        elsewhere: [
            await sent("key", "https://other.example.org/layers"),
            await sent("key", "http://maps.example.org/layers"),
        ],
        many: [await sent(async () => `token${++calls}`, own, 5), calls],
        expired: (await sent(() => given.shift(), own)).map((each) => ["", short, long].indexOf(each.slice(7))),
        refused: [await sent((old) => { refused.push(old ?? "first"); return old ? "new" : "refused"; }, own), refused],
        never: await sent(() => "refused", own),
        fixed: await sent("refused", own),
        failed: await sent(() => { throw new Error("no session"); }, own).catch(({ message }) => message),
        shown: JSON.stringify(new Credential("key", server)),
    };
    console.log(JSON.stringify(found));
"""
pytestmark = [pytest.mark.slow, pytest.mark.client("node")]


def test_a_token_is_sent_to_its_server_and_renewed_when_it_has_expired_or_is_refused() -> None:
    ran = subprocess.run(
        ["node", "--input-type=module", "--eval", SCRIPT, MODULE],
        capture_output=True, text=True, timeout=600, check=False,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr
    assert json.loads(ran.stdout) == {
        "key": ["Bearer key"] * 2,
        "elsewhere": [["none"] * 2] * 2,
        "many": [["Bearer token1"] * 6, 1],
        "expired": [1, 2],
        "refused": [["Bearer refused", "Bearer new", "Bearer new"], ["first", "refused"]],
        "never": ["Bearer refused"] * 2,
        "fixed": ["Bearer refused"] * 2,
        "failed": "no session",
        "shown": "{}",
    }
