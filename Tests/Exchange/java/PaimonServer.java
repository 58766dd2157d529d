import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.apache.paimon.catalog.Catalog;
import org.apache.paimon.catalog.CatalogContext;
import org.apache.paimon.catalog.CatalogFactory;
import org.apache.paimon.catalog.Identifier;
import org.apache.paimon.data.BinaryString;
import org.apache.paimon.data.GenericRow;
import org.apache.paimon.data.InternalRow;
import org.apache.paimon.disk.IOManager;
import org.apache.paimon.options.Options;
import org.apache.paimon.reader.RecordReader;
import org.apache.paimon.table.FileStoreTable;
import org.apache.paimon.table.Table;
import org.apache.paimon.table.sink.BatchTableCommit;
import org.apache.paimon.table.sink.BatchTableWrite;
import org.apache.paimon.table.sink.BatchWriteBuilder;
import org.apache.paimon.table.source.DataSplit;
import org.apache.paimon.table.source.ReadBuilder;
import org.apache.paimon.table.source.Split;
import org.apache.paimon.table.source.StreamTableScan;
import org.apache.paimon.table.source.TableRead;
import org.apache.paimon.table.source.TableScan;
import org.apache.paimon.types.DataType;
import org.apache.paimon.types.RowKind;

/**
 * Java Paimon behind a pipe, so that one JVM serves all comparisons. A request is one line of tab-separated words; the answer is
 * lines of text, then a line "." (or "!" and the error's text).
 *
 * <pre>
 * read    WAREHOUSE DB.TABLE [OPTION=VALUE ...]     rows of a batch read
 * stream  WAREHOUSE DB.TABLE FROM                   {"snapshot":n,"kind":"+I","row":{}} from a snapshot to the newest
 * schema  WAREHOUSE DB.TABLE                        the row type
 * upsert  WAREHOUSE DB.TABLE KIND v1,v2;v1,v2       rows of BIGINT/INT/STRING columns, one batch commit
 * compact WAREHOUSE DB.TABLE BUCKETS                a full compaction of an unpartitioned table
 * jdbc-tables WAREHOUSE FILE                        DB.TABLE of the JDBC catalog in an SQLite file
 * jdbc-read   WAREHOUSE FILE DB.TABLE [OPTION=VALUE ...]
 * jdbc-create WAREHOUSE FILE DB.TABLE               an empty table (id BIGINT), and its database
 * </pre>
 */
public final class PaimonServer {
  public static void main(String[] arguments) throws Exception {
    PrintStream out = new PrintStream(new java.io.FileOutputStream(java.io.FileDescriptor.out), false, "UTF-8");
    System.setOut(System.err);
    BufferedReader in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
    for (String line; (line = in.readLine()) != null; ) {
      try {
        StringBuilder answer = new StringBuilder();
        for (String text : serve(line.split("\t", -1))) answer.append(text).append('\n');
        out.print(answer);
        out.println(".");
      } catch (Throwable error) {
        Throwable cause = error;
        while (cause.getCause() != null) cause = cause.getCause();
        StackTraceElement[] at = cause.getStackTrace();
        out.println("!" + (cause + (at.length > 0 ? " at " + at[0] : "")).replace('\n', ' '));
      }
      out.flush();
    }
  }

  private static List<String> serve(String[] words) throws Exception {
    Options options = new Options();
    options.set("warehouse", words[1]);
    if (words[0].startsWith("jdbc-")) return serveJDBC(words, options);
    try (Catalog catalog = CatalogFactory.createCatalog(CatalogContext.create(options))) {
      Table table = catalog.getTable(Identifier.fromString(words[2]));
      switch (words[0]) {
        case "read": return read(table.copy(dynamic(words, 3)));
        case "stream": return stream(table, words[3]);
        case "schema": return List.of(table.rowType().asSQLString());
        case "upsert": return write(table, words[3], words[4]);
        case "compact": return compact((FileStoreTable) table, Integer.parseInt(words[3]));
        default: throw new IllegalArgumentException(words[0]);
      }
    }
  }

  private static List<String> serveJDBC(String[] words, Options options) throws Exception {
    options.set("metastore", "jdbc");
    options.set("uri", "jdbc:sqlite:" + words[2]);
    options.set("jdbc.user", "");
    options.set("jdbc.password", "");
    try (Catalog catalog = CatalogFactory.createCatalog(CatalogContext.create(options))) {
      switch (words[0]) {
        case "jdbc-tables": {
          List<String> names = new ArrayList<>();
          for (String database : new java.util.LinkedHashSet<>(catalog.listDatabases())) {
            for (String table : catalog.listTables(database)) names.add(database + "." + table);
          }
          return names;
        }
        case "jdbc-read": return read(catalog.getTable(Identifier.fromString(words[3])).copy(dynamic(words, 4)));
        case "jdbc-create": {
          Identifier name = Identifier.fromString(words[3]);
          catalog.createDatabase(name.getDatabaseName(), true);
          catalog.createTable(name, org.apache.paimon.schema.Schema.newBuilder().column("id", org.apache.paimon.types.DataTypes.BIGINT()).build(), false);
          return List.of();
        }
        default: throw new IllegalArgumentException(words[0]);
      }
    }
  }

  private static Map<String, String> dynamic(String[] words, int from) {
    Map<String, String> options = new HashMap<>();
    for (int i = from; i < words.length; i++) {
      int equals = words[i].indexOf('=');
      options.put(words[i].substring(0, equals), words[i].substring(equals + 1));
    }
    return options;
  }

  private static List<String> read(Table table) throws Exception {
    List<String> rows = new ArrayList<>();
    ReadBuilder builder = table.newReadBuilder();
    TableRead read = builder.newRead();
    for (Split split : builder.newScan().plan().splits()) {
      try (RecordReader<InternalRow> reader = read.createReader(split)) {
        reader.forEachRemaining(row -> rows.add(Rows.row(row, table.rowType())));
      }
    }
    return rows;
  }

  private static List<String> stream(Table base, String from) throws Exception {
    Map<String, String> dynamic = new HashMap<>();
    dynamic.put("scan.mode", "from-snapshot");
    dynamic.put("scan.snapshot-id", from);
    Table table = base.copy(dynamic);
    List<String> rows = new ArrayList<>();
    ReadBuilder builder = table.newReadBuilder();
    StreamTableScan scan = builder.newStreamScan();
    TableRead read = builder.newRead();
    // Two empty plans in a row: the newest snapshot is behind us.
    for (int idle = 0; idle < 2; ) {
      TableScan.Plan plan = scan.plan();
      if (plan.splits().isEmpty()) {
        idle++;
        continue;
      }
      for (Split split : plan.splits()) {
        long snapshot = ((DataSplit) split).snapshotId();
        try (RecordReader<InternalRow> reader = read.createReader(split)) {
          reader.forEachRemaining(row -> rows.add("{\"snapshot\":" + snapshot + ",\"kind\":\""
              + row.getRowKind().shortString() + "\",\"row\":" + Rows.row(row, table.rowType()) + "}"));
        }
      }
    }
    return rows;
  }

  private static List<String> write(Table table, String kind, String text) throws Exception {
    BatchWriteBuilder builder = table.newBatchWriteBuilder();
    try (BatchTableWrite write = builder.newWrite(); BatchTableCommit commit = builder.newCommit()) {
      write.withIOManager(IOManager.create(System.getProperty("java.io.tmpdir")));
      for (String line : text.split(";")) {
        String[] cells = line.split(",", -1);
        GenericRow row = new GenericRow(RowKind.fromShortString(kind), cells.length);
        for (int i = 0; i < cells.length; i++) row.setField(i, cell(cells[i], table.rowType().getTypeAt(i)));
        write.write(row);
      }
      commit.commit(write.prepareCommit());
    }
    return List.of();
  }

  private static Object cell(String text, DataType type) {
    if (text.isEmpty()) return null;
    switch (type.getTypeRoot()) {
      case INTEGER: return Integer.valueOf(text);
      case BIGINT: return Long.valueOf(text);
      case VARCHAR: return BinaryString.fromString(text);
      default: throw new IllegalArgumentException("no cell of " + type);
    }
  }

  private static List<String> compact(FileStoreTable table, int buckets) throws Exception {
    BatchWriteBuilder builder = table.newBatchWriteBuilder();
    try (BatchTableWrite write = builder.newWrite(); BatchTableCommit commit = builder.newCommit()) {
      write.withIOManager(IOManager.create(System.getProperty("java.io.tmpdir")));
      for (int bucket = 0; bucket < buckets; bucket++) write.compact(org.apache.paimon.data.BinaryRow.EMPTY_ROW, bucket, true);
      commit.commit(write.prepareCommit());
    }
    return List.of();
  }
}
