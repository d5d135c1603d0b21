// The api of `maquette review`: requests below `api/`, with errors that say why they failed.

/** The longest reason of a refusal that is shown, in characters. */
const LONGEST = 1000;

/** Sends a request, with `body` as JSON, and gives the answer if it is a success. */
export async function request(method: string, path: string, body?: unknown, signal?: AbortSignal): Promise<Response> {
  const sent = body === undefined ? {} : { headers: { "content-type": "application/json" }, body: JSON.stringify(body) };
  const response = await fetch(`api/${path}`, { method, cache: "no-store", signal, ...sent }).catch(() => {
    throw new Error("the server of maquette review does not answer");
  });
  if (!response.ok) throw new Error((await response.text()).trim().slice(0, LONGEST) || `the server answers ${response.status}`);
  return response;
}

/** The same, for an answer of JSON; null for an empty one. */
export async function api(method: string, path: string, body?: unknown): Promise<unknown> {
  const text = await (await request(method, path, body)).text();
  return text ? JSON.parse(text) : null;
}
