import { html, useEffect, useRef, useState } from "../vendor.js";
import { farewell, signIn } from "../model/session.js";
import { Mark } from "./icons.js";

export function Login() {
  const [problem, setProblem] = useState(farewell.peek());
  const [busy, setBusy] = useState(false);
  const email = useRef(null);
  useEffect(() => email.current?.focus(), []);

  const submit = async (event) => {
    event.preventDefault();
    const given = new FormData(event.currentTarget);
    setBusy(true);
    setProblem("");
    try {
      await signIn(String(given.get("email")).trim(), String(given.get("password")));
    } catch (error) {
      setProblem(error.status === 401 ? "That email and password don't match." : error.message);
      setBusy(false);
    }
  };

  return html`
    <main class="login">
      <form class="login-card" onSubmit=${submit}>
        <div class="login-brand"><${Mark} /><span class="wordmark">Leadwire</span></div>
        <h1>Sign in</h1>
        <p class="login-lede">Your leads, the moment they come in.</p>
        <label class="field">
          <span>Email</span>
          <input ref=${email} name="email" type="email" autocomplete="username" required spellcheck=${false} />
        </label>
        <label class="field">
          <span>Password</span>
          <input name="password" type="password" autocomplete="current-password" required />
        </label>
        <p class="login-problem" role="alert">${problem}</p>
        <button class="button primary" type="submit" disabled=${busy}>${busy ? "Signing in…" : "Sign in"}</button>
      </form>
    </main>
  `;
}
