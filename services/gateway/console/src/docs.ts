// Shows what can be called over HTTP, and calls it as whoever is signed in at the console.
import SwaggerUI from "swagger-ui-dist/swagger-ui-es-bundle.js";
import "swagger-ui-dist/swagger-ui.css";

SwaggerUI({
  dom_id: "#docs",
  url: "/openapi.json",
  validatorUrl: null, // nothing is asked of another site
  requestInterceptor: (request: { headers: Record<string, string> }) => {
    request.headers["gyre-console"] = "1"; // a change by cookie needs it
    return request;
  },
});
