// The token: typed, or behind the # of the address; it is given once, for a cookie.

export function fromAddress() {
  const token = decodeURIComponent(location.hash.slice(1));
  if (token) history.replaceState(null, "", location.pathname);
  return token;
}

// "" where the token was right, else why not.
export async function give(token) {
  try {
    const answer = await fetch("/session", {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ token }),
    });
    return answer.ok ? "" : (await answer.text()).trim();
  } catch {
    return "no connection";
  }
}
