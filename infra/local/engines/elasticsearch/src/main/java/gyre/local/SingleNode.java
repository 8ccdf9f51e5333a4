package gyre.local;

import java.nio.file.Path;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.elasticsearch.common.logging.LogConfigurator;
import org.elasticsearch.common.settings.Settings;
import org.elasticsearch.env.Environment;
import org.elasticsearch.node.InternalSettingsPreparer;
import org.elasticsearch.node.Node;
import org.elasticsearch.plugins.PluginsLoader;

/** Starts one Elasticsearch node from plain jars: {@code SingleNode HOME CONFIG}. */
public final class SingleNode {

    private static final long CLOSE_SECONDS = 10;

    private SingleNode() {}

    public static void main(String[] args) {
        try {
            start(Path.of(args[0]), Path.of(args[1]));
            new CountDownLatch(1).await();
        } catch (Exception | LinkageError cause) {
            cause.printStackTrace();
            System.exit(1);
        }
    }

    private static void start(Path home, Path config) throws Exception {
        LogConfigurator.registerErrorListener();
        LogConfigurator.loadLog4jPlugins();
        LogConfigurator.configureESLogging();
        Settings paths = Settings.builder().put("path.home", home).build();
        Environment environment =
            InternalSettingsPreparer.prepareEnvironment(paths, Map.of(), config, () -> "gyre");
        LogConfigurator.configureWithoutConfig(environment.settings());

        PluginsLoader plugins = PluginsLoader.createPluginsLoader(
            PluginsLoader.loadModulesBundles(environment.modulesDir()), Set.of(), Map.of(), false);
        Node node = new Node(environment, plugins);
        Runtime.getRuntime().addShutdownHook(new Thread(() -> close(node), "close-node"));
        node.start();
    }

    private static void close(Node node) {
        try {
            node.prepareForClose();
            node.close();
            node.awaitClose(CLOSE_SECONDS, TimeUnit.SECONDS);
        } catch (Exception cause) {
            cause.printStackTrace();
        }
    }
}
