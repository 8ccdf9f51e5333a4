package org.elasticsearch.xpack.gyre;

import gyre.local.LanguageAnalyzers;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.elasticsearch.client.internal.node.NodeClient;
import org.elasticsearch.common.settings.Setting;
import org.elasticsearch.common.util.concurrent.ThreadContext;
import org.elasticsearch.indices.breaker.CircuitBreakerService;
import org.elasticsearch.plugins.interceptor.RestServerActionPlugin;
import org.elasticsearch.rest.RestController;
import org.elasticsearch.rest.RestInterceptor;
import org.elasticsearch.telemetry.TelemetryProvider;
import org.elasticsearch.usage.UsageService;

/**
 * Language analyzers, and a password on every path. Elasticsearch lets only plugins of this package
 * put a REST controller of their own in place (ActionModule.isInternalPlugin).
 */
public final class GyrePlugin extends LanguageAnalyzers implements RestServerActionPlugin {

    private static final Setting<String> PASSWORD_FILE =
        Setting.simpleString("gyre.password_file", Setting.Property.NodeScope);

    @Override
    public List<Setting<?>> getSettings() {
        return List.of(PASSWORD_FILE);
    }

    @Override
    public RestInterceptor getRestHandlerInterceptor(ThreadContext threadContext) {
        return null; // it would see only paths that have a handler
    }

    @Override
    public RestController getRestController(
        RestInterceptor interceptor,
        NodeClient client,
        CircuitBreakerService breakers,
        UsageService usage,
        TelemetryProvider telemetry
    ) {
        String password = read(Path.of(PASSWORD_FILE.get(client.settings())));
        return new PasswordRestController(password, interceptor, client, breakers, usage, telemetry);
    }

    private static String read(Path file) {
        try {
            String password = Files.readString(file).strip();
            if (password.isEmpty()) {
                throw new IllegalStateException("gyre.password_file is empty: " + file);
            }
            return password;
        } catch (IOException cause) {
            throw new UncheckedIOException("gyre.password_file cannot be read: " + file, cause);
        }
    }
}
