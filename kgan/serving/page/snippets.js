// What is seen as a command or a program that asks the server for the same, and the clipboard.

import { element } from "./server.js";

// What a shell takes as one argument (128 KiB on Linux).
const LONGEST = 100_000;

// A float32 has seven digits that mean something.
const short = (key, value) =>
  typeof value === "number" && !Number.isInteger(value) ? Number(value.toPrecision(7)) : value;
const urlOf = (path) => new URL(path, location.origin + location.pathname).href;
const asksForToken = () => Boolean(sessionStorage.getItem("token"));

// The token itself is in neither: it stays with whoever knows it.
export function curlOf({ path, body }) {
  const text = JSON.stringify(body, short);
  if (text.length > LONGEST) throw new Error("The image is too large for a command: copy it as Python.");
  const token = asksForToken() ? ' \\\n  -H "Authorization: Bearer $TOKEN"' : "";
  const quoted = text.replaceAll("'", "'\\''");
  return `curl '${urlOf(path)}' \\\n  -H 'Content-Type: application/json'${token} \\\n  -d '${quoted}'\n`;
}

export function pythonOf({ path, body }) {
  const token = asksForToken() ? ', "Authorization": f"Bearer {os.environ[\'TOKEN\']}"' : "";
  return `import json
${token ? "import os\n" : ""}from urllib.request import Request, urlopen

body = ${JSON.stringify(body, short).replaceAll("<", "\\u003c")}
headers = {"Content-Type": "application/json"${token}}
request = Request(${JSON.stringify(urlOf(path))}, json.dumps(body).encode(), headers)
print(json.load(urlopen(request)))
`;
}

export async function copy(text, what) {
  const [field, said] = [element("copied-text"), element("copied")];
  field.hidden = true;
  try {
    await navigator.clipboard.writeText(text);
    said.textContent = `Copied ${what}.`;
  } catch {
    // Browsers lend the clipboard to pages of this machine and of https alone.
    field.hidden = false;
    field.value = text;
    field.select();
    said.textContent = "This browser keeps its clipboard from the page: copy the text below.";
  }
}
