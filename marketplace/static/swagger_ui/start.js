"use strict";

// Shows the document of the server that this page came from, and sends "Try it out" to that server too, behind whatever
// prefix it stands, whatever the document names.
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

SwaggerUIBundle({
  url: new URL("../api/openapi.json", here).href,
  dom_id: "#swagger-ui",
  plugins: [thisServer],
  deepLinking: true,
  displayRequestDuration: true,
  filter: true,
  persistAuthorization: false, // a token that was pasted is forgotten with the page
  validatorUrl: null, // nothing is told to anybody else
});
