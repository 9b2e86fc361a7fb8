"use strict";

// Shows the document of the server that this page came from, and sends "Try it out" to that server too, behind whatever
// prefix it stands, whatever the document names. Where the server has a demo shop, and this browser is on the same
// machine, buttons sign in as one of its people.
const here = document.currentScript.src;
const server = new URL("..", here).href.replace(/\/$/, "");

const thisServer = () => ({
  statePlugins: {
    spec: {
      wrapActions: {
        updateJsonSpec: (update) => (described) => update({ ...described, servers: [{ url: server }] }),
      },
    },
  },
});

const ui = SwaggerUIBundle({
  url: new URL("../api/openapi.json", here).href,
  dom_id: "#swagger-ui",
  plugins: [thisServer],
  deepLinking: true,
  defaultModelsExpandDepth: 0, // schemas are below the calls, closed
  displayRequestDuration: true,
  filter: true,
  persistAuthorization: false, // a token that was pasted is forgotten with the page
  validatorUrl: null, // nothing is told to anybody else
});

const signIn = async ({ role, email, password }, button, said) => {
  const response = await fetch(`${server}/api/auth/login`, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ email, password, device_name: "The page /docs" }),
  });
  const body = await response.json();
  if (!response.ok) {
    said.textContent = body.detail;
    return;
  }
  ui.preauthorizeApiKey("bearer", body.access_token);
  for (const other of button.parentElement.querySelectorAll("button")) {
    other.setAttribute("aria-pressed", String(other === button));
  }
  said.textContent = `Signed in as ${body.user.name}, ${role}: "Try it out" sends their token, for 15 minutes.`;
};

const offer = ({ logins }) => {
  if (!logins.length) return;
  const place = document.getElementById("demo");
  const said = document.createElement("output");
  for (const login of logins) {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = `Sign in as a demo ${login.role}`;
    button.setAttribute("aria-pressed", "false");
    button.addEventListener("click", () => signIn(login, button, said));
    place.append(button);
  }
  place.append(said);
  place.hidden = false;
};

fetch(new URL("demo-logins", here))
  .then((response) => response.json())
  .then(offer);
