package org.elasticsearch.xpack.gyre;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.util.Base64;
import org.elasticsearch.ElasticsearchSecurityException;
import org.elasticsearch.client.internal.node.NodeClient;
import org.elasticsearch.common.util.concurrent.ThreadContext;
import org.elasticsearch.indices.breaker.CircuitBreakerService;
import org.elasticsearch.rest.RestChannel;
import org.elasticsearch.rest.RestController;
import org.elasticsearch.rest.RestInterceptor;
import org.elasticsearch.rest.RestRequest;
import org.elasticsearch.rest.RestResponse;
import org.elasticsearch.rest.RestStatus;
import org.elasticsearch.telemetry.TelemetryProvider;
import org.elasticsearch.usage.UsageService;

/** Answers 401 to whoever is not `elastic` with the password, before any path is looked at. */
final class PasswordRestController extends RestController {

    private static final String USER = "elastic"; // as in a full Elasticsearch

    private final byte[] expected;

    PasswordRestController(
        String password,
        RestInterceptor interceptor,
        NodeClient client,
        CircuitBreakerService breakers,
        UsageService usage,
        TelemetryProvider telemetry
    ) {
        super(interceptor, client, breakers, usage, telemetry);
        byte[] login = (USER + ":" + password).getBytes(StandardCharsets.UTF_8);
        expected = bytes("Basic " + Base64.getEncoder().encodeToString(login));
    }

    @Override
    public void dispatchRequest(RestRequest request, RestChannel channel, ThreadContext context) {
        String shown = request.header("Authorization");
        if (shown != null && MessageDigest.isEqual(expected, bytes(shown))) {
            super.dispatchRequest(request, channel, context);
        } else {
            refuse(channel);
        }
    }

    private static void refuse(RestChannel channel) {
        // Without WWW-Authenticate: a browser shall neither ask for the password nor remember it.
        var missing = new ElasticsearchSecurityException(
            "missing or wrong user and password", RestStatus.UNAUTHORIZED);
        try {
            channel.sendResponse(new RestResponse(channel, missing));
        } catch (IOException cause) {
            throw new UncheckedIOException(cause);
        }
    }

    private static byte[] bytes(String text) {
        return text.getBytes(StandardCharsets.UTF_8);
    }
}
