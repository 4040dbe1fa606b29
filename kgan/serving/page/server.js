// What the page asks the server, and what it shows when that fails.

export const element = (id) => document.getElementById(id);

export function showError(error) {
  element("error").hidden = !error;
  element("error").textContent = error ? error.message : "";
}

// The type of content that a browser sends to its own server alone, and the token where one is known.
function options(body) {
  const token = sessionStorage.getItem("token");
  const headers = token ? { Authorization: `Bearer ${token}` } : {};
  if (!body) return { headers };
  headers["Content-Type"] = "application/json";
  return { method: "POST", headers, body: JSON.stringify(body) };
}

export async function ask(path, body, parse = JSON.parse) {
  let reply;
  try {
    reply = await fetch(path, options(body));
    if (reply.status === 401) {
      const token = window.prompt("This server asks for its token.");
      if (token) sessionStorage.setItem("token", token);
      reply = await fetch(path, options(body));
    }
  } catch {
    throw new Error("The server does not answer. Is it still running?");
  }
  const text = await reply.text();
  let content;
  try {
    content = parse(text);
  } catch {
    throw new Error(reply.ok ? "The answer holds values that are no numbers." : text);
  }
  if (!reply.ok) throw new Error(content.error);
  return content;
}

// The model's endpoint of a role, which is what it is for; a name may be any.
export const endpointFor = (model, role) => model.endpoints.find((one) => one.role === role);

// What to ask an endpoint: of the inputs that are given only those that it has are sent.
export function questionOf(model, endpoint, inputs) {
  const taken = Object.fromEntries(Object.keys(endpoint.inputs).map((name) => [name, inputs[name]]));
  const path = `v1/models/${encodeURIComponent(model.name)}:predict`;
  return { path, body: { signature_name: endpoint.name, inputs: taken } };
}

// An endpoint's outputs by name.
export async function call(model, endpoint, inputs, parse) {
  const { path, body } = questionOf(model, endpoint, inputs);
  const { outputs } = await ask(path, body, parse);
  const names = Object.keys(endpoint.outputs);
  // One output alone comes without its name.
  return names.length > 1 ? outputs : { [names[0]]: outputs };
}

// The samples among an endpoint's outputs.
export const samplesOf = (model, outputs) => outputs[model.samples] ?? Object.values(outputs)[0];

// What an endpoint of the role "score" says of the first sample.
export function verdict(model, outputs) {
  if (model.family === "gan" && outputs.probabilities)
    return `The discriminator takes it for real with probability ${outputs.probabilities[0].toFixed(2)}.`;
  if (model.family === "gan" && outputs.logits)
    return `The discriminator's logit is ${outputs.logits[0].toFixed(2)}: the higher, the more real a sample looks to it.`;
  return Object.entries(outputs)
    .map(([name, [value]]) => `${name.replaceAll("_", " ")}: ${Number(value).toPrecision(4)}`)
    .join(", ");
}

// The buttons or options of a class: what each is called.
export const classNames = (model) =>
  Array.from({ length: model.num_classes ?? 0 }, (_, label) => model.class_names?.[label] ?? String(label));

// Runs a job now, or when the running one ends; of those that came meanwhile only the last.
export function latest(job) {
  let running = false;
  let again = false;
  return async function run() {
    if (running) {
      again = true;
      return;
    }
    running = true;
    try {
      do {
        again = false;
        await job();
      } while (again);
      showError(null);
    } catch (error) {
      showError(error);
    } finally {
      running = false;
    }
  };
}

export function save(name, href) {
  const link = document.createElement("a");
  link.download = name;
  link.href = href;
  link.click();
}
