//! Serialization of physical plans, for schedulers and executors of any engine that accepts DataFusion's physical
//! plans.
//!
//! Three operators of this crate are unknown to `datafusion-proto`: the scan of log objects, rows of `requests` from a
//! dataset, and parts of a conversion. Other operators are passed to the engine's own codec. The bytes of this crate's
//! operators begin with [`MAGIC`], so that each codec recognises its own.

use super::wire::{Lines, Node, Parts, Projected, Requests, Scan, layout_of, node, table_of};
use crate::convert::{Order, PartsExec};
use crate::dataset::RequestsExec;
use crate::decode::{LineOptions, RequestsOfRows};
use crate::error::{Error, ErrorKind};
use crate::scan::{Bundle, LogObject, Packed, S3LogSource, ScanOptions, pack, packed_group};
use crate::schema::TextLayout;
use crate::store::Stores;
use bytes::Bytes;
use datafusion::common::stats::Precision;
use datafusion::common::tree_node::{Transformed, TreeNode as _};
use datafusion::common::{Result, Statistics, internal_err};
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::physical_plan::{FileGroup, FileScanConfig, FileScanConfigBuilder, FileSource as _};
use datafusion::datasource::source::DataSourceExec;
use datafusion::datasource::table_schema::TableSchema;
use datafusion::execution::TaskContext;
use datafusion::execution::object_store::ObjectStoreUrl;
use datafusion::logical_expr::{AggregateUDF, HigherOrderUDF, ScalarUDF, WindowUDF};
use datafusion::physical_expr::projection::{ProjectionExpr, ProjectionExprs};
use datafusion::physical_plan::{ExecutionPlan, PhysicalExpr};
use datafusion_proto::physical_plan::from_proto::{parse_protobuf_file_scan_config, parse_table_schema_from_proto};
use datafusion_proto::physical_plan::to_proto::serialize_file_scan_config;
use datafusion_proto::physical_plan::{
    PhysicalExtensionCodec, PhysicalPlanDecodeContext, PhysicalProtoConverterExtension,
};
use prost::Message as _;
use std::sync::Arc;

/// Prefix of serialized operators; the last byte is the version of the format.
const MAGIC: &[u8] = b"S3LOG\0\x01";

/// Codec for the operators of this crate, which delegates all others to another codec.
#[derive(Debug)]
pub struct PhysicalCodec {
    inner: Arc<dyn PhysicalExtensionCodec>,
    stores: Arc<Stores>,
}

impl PhysicalCodec {
    /// Wraps the codec of an engine. `stores` defines how decoded scans access buckets.
    #[must_use]
    pub fn new(inner: Arc<dyn PhysicalExtensionCodec>, stores: Arc<Stores>) -> Self {
        Self { inner, stores }
    }

    fn encode_scan(
        &self,
        config: &FileScanConfig,
        source: &S3LogSource,
        converter: &dyn PhysicalProtoConverterExtension,
    ) -> Result<Scan> {
        let expr = |expr: &Arc<dyn PhysicalExpr>| converter.physical_expr_to_proto(expr, self);
        let projection = source
            .projection()
            .into_iter()
            .flat_map(ProjectionExprs::iter)
            .map(|projected| Ok(Projected { expr: Some(expr(&projected.expr)?), name: projected.alias.clone() }));
        let files = || config.file_groups.iter().flat_map(FileGroup::iter);
        // Files of DataFusion's own listing tables.
        let is_listed = files().any(|file| !is_ours(file));
        let partitions = match is_listed {
            true => Vec::new(),
            false => config.file_groups.iter().map(packed).collect::<Result<_, Error>>()?,
        };
        let bytes = match config.statistics().total_byte_size {
            Precision::Exact(bytes) | Precision::Inexact(bytes) => bytes as u64,
            Precision::Absent => 0,
        };
        Ok(Scan {
            table: source.table().name().to_owned(),
            has_views: source.layout() == TextLayout::Views,
            lines: Some(Lines::try_from(source.lines())?),
            projection: projection.collect::<Result<_>>()?,
            predicate: source.filter().as_ref().map(expr).transpose()?,
            limit: config.limit.map(|limit| limit as u64),
            compacts: source.copies_text(),
            bytes,
            partitions,
            files: is_listed.then(|| serialize_file_scan_config(config, self, converter)).transpose()?,
        })
    }

    fn decode_scan(
        &self,
        scan: Scan,
        context: &TaskContext,
        converter: &dyn PhysicalProtoConverterExtension,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let decoding = PhysicalPlanDecodeContext::new(context, self);
        let table = table_of(&scan.table)?;
        let schema = match &scan.files {
            Some(files) => parse_table_schema_from_proto(files)?,
            None => TableSchema::from(table.schema(layout_of(scan.has_views))),
        };
        let options = ScanOptions::default().with_lines(lines_of(scan.lines)?).tallying();
        let mut source = S3LogSource::new(table, schema.clone()).with_options(options);
        if let Some(predicate) = &scan.predicate {
            source =
                source.with_predicate(converter.proto_to_physical_expr(predicate, schema.table_schema(), &decoding)?);
        }
        if scan.compacts {
            source = source.copying_text();
        }
        if let Some(files) = &scan.files {
            let config = parse_protobuf_file_scan_config(files, &decoding, converter, Arc::new(source))?;
            return Ok(DataSourceExec::from_data_source(config));
        }
        let mut projection = Vec::with_capacity(scan.projection.len());
        for Projected { expr, name } in &scan.projection {
            let Some(expr) = expr else { return internal_err!("a column of a scan has no expression") };
            let expr = converter.proto_to_physical_expr(expr, schema.table_schema(), &decoding)?;
            projection.push(ProjectionExpr::new(expr, name));
        }
        let Some(source) = source.try_pushdown_projection(&ProjectionExprs::new(projection))? else {
            return internal_err!("a scan of log objects takes any projection");
        };
        let mut statistics = Statistics::new_unknown(schema.table_schema());
        statistics.total_byte_size = Precision::Inexact(scan.bytes as usize);
        let groups = scan.partitions.into_iter().map(|bytes| packed_group(bytes, &self.stores)).collect();
        let config = FileScanConfigBuilder::new(ObjectStoreUrl::local_filesystem(), source)
            .with_file_groups(groups)
            .with_statistics(statistics)
            .with_limit(scan.limit.map(|limit| limit as usize))
            .build();
        Ok(DataSourceExec::from_data_source(config))
    }
}

/// The same plan with the objects of its scans in serialized form.
///
/// # Errors
///
/// Fails if a part of the plan cannot be serialized. Checked here, because an encoder would bury the reason in its
/// description of the plan.
pub(super) fn with_packed_objects(
    plan: Arc<dyn ExecutionPlan>,
    stores: &Arc<Stores>,
) -> Result<Arc<dyn ExecutionPlan>> {
    let packed = plan.transform_up(|node| {
        if let Some(requests) = node.downcast_ref::<RequestsExec>() {
            Lines::try_from(requests.rows().lines())?;
        }
        let scan =
            node.downcast_ref::<DataSourceExec>().and_then(DataSourceExec::downcast_to_file_source::<S3LogSource>);
        let Some((config, source)) = scan else { return Ok(Transformed::no(node)) };
        Lines::try_from(source.lines())?;
        if !config.file_groups.iter().flat_map(FileGroup::iter).all(is_ours) {
            return Ok(Transformed::no(node));
        }
        let groups = config.file_groups.iter().map(|group| Ok(packed_group(packed(group)?, stores)));
        let groups = groups.collect::<Result<_>>()?;
        let config = FileScanConfigBuilder::from(config.clone()).with_file_groups(groups).build();
        let scan: Arc<dyn ExecutionPlan> = DataSourceExec::from_data_source(config);
        Ok(Transformed::yes(scan))
    });
    Ok(packed?.data)
}

/// Whether a table of this crate planned the file.
fn is_ours(file: &PartitionedFile) -> bool {
    file.extension::<Packed>().is_some()
        || file.extension::<Bundle>().is_some()
        || file.extension::<LogObject>().is_some()
}

/// The serialized objects of a partition.
fn packed(group: &FileGroup) -> Result<Bytes, Error> {
    match group.files() {
        [file] if file.extension::<Packed>().is_some() => {
            Ok(file.extension::<Packed>().map(|packed| packed.bytes().clone()).unwrap_or_default())
        }
        files => pack(files),
    }
}

fn lines_of(lines: Option<Lines>) -> Result<LineOptions, Error> {
    let lines = lines.ok_or_else(|| Error::new(ErrorKind::Invalid, "a plan does not say how lines are understood"))?;
    LineOptions::try_from(lines)
}

impl PhysicalExtensionCodec for PhysicalCodec {
    fn try_encode(
        &self,
        node: Arc<dyn ExecutionPlan>,
        buffer: &mut Vec<u8>,
        converter: &dyn PhysicalProtoConverterExtension,
    ) -> Result<()> {
        let kind = if let Some(scan) = node.downcast_ref::<DataSourceExec>()
            && let Some((config, source)) = scan.downcast_to_file_source::<S3LogSource>()
        {
            node::Kind::Scan(Box::new(self.encode_scan(config, source, converter)?))
        } else if let Some(requests) = node.downcast_ref::<RequestsExec>() {
            let rows = requests.rows();
            node::Kind::Requests(Requests {
                from: rows.from().name().to_owned(),
                columns: rows.columns().map(|column| column as u32).collect(),
                has_views: rows.layout() == TextLayout::Views,
                lines: Some(Lines::try_from(rows.lines())?),
            })
        } else if let Some(parts) = node.downcast_ref::<PartsExec>() {
            let order = serde_json::to_string(parts.order())
                .map_err(|error| Error::new(ErrorKind::Internal, "an order cannot be written").with_source(error))?;
            node::Kind::Parts(Parts { order })
        } else {
            return self.inner.try_encode(node, buffer, converter);
        };
        let node = Node { kind: Some(kind) };
        buffer.reserve(MAGIC.len() + node.encoded_len());
        buffer.extend_from_slice(MAGIC);
        node.encode_raw(buffer);
        Ok(())
    }

    fn try_decode(
        &self,
        bytes: &[u8],
        inputs: &[Arc<dyn ExecutionPlan>],
        context: &TaskContext,
        converter: &dyn PhysicalProtoConverterExtension,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let Some(bytes) = bytes.strip_prefix(MAGIC) else {
            return self.inner.try_decode(bytes, inputs, context, converter);
        };
        let node = Node::decode(bytes)
            .map_err(|error| Error::new(ErrorKind::Invalid, "a plan is broken").with_source(error))?;
        match (node.kind, inputs) {
            (Some(node::Kind::Scan(scan)), []) => self.decode_scan(*scan, context, converter),
            (Some(node::Kind::Requests(requests)), [input]) => {
                let columns: Vec<usize> = requests.columns.iter().map(|column| *column as usize).collect();
                let (from, layout) = (table_of(&requests.from)?, layout_of(requests.has_views));
                let rows = RequestsOfRows::new(from, &columns, layout, lines_of(requests.lines)?);
                Ok(Arc::new(RequestsExec::new(Arc::clone(input), Arc::new(rows))))
            }
            (Some(node::Kind::Parts(parts)), [input]) => {
                let order: Order = serde_json::from_str(&parts.order).map_err(|error| {
                    Error::new(ErrorKind::Unsupported, "an order is not understood")
                        .with_source(error)
                        .with_hint("run the same version of s3log on all machines")
                })?;
                Ok(Arc::new(PartsExec::new(Arc::clone(input), Arc::new(order))))
            }
            (_, inputs) => internal_err!("an operator of a plan is unknown, with {} inputs", inputs.len()),
        }
    }

    fn try_encode_udf(&self, node: &ScalarUDF, buffer: &mut Vec<u8>) -> Result<()> {
        self.inner.try_encode_udf(node, buffer)
    }

    fn try_decode_udf(&self, name: &str, bytes: &[u8]) -> Result<Arc<ScalarUDF>> {
        self.inner.try_decode_udf(name, bytes)
    }

    fn try_encode_higher_order_function(&self, node: &HigherOrderUDF, buffer: &mut Vec<u8>) -> Result<()> {
        self.inner.try_encode_higher_order_function(node, buffer)
    }

    fn try_decode_higher_order_function(&self, name: &str, bytes: &[u8]) -> Result<Arc<HigherOrderUDF>> {
        self.inner.try_decode_higher_order_function(name, bytes)
    }

    fn try_encode_udaf(&self, node: &AggregateUDF, buffer: &mut Vec<u8>) -> Result<()> {
        self.inner.try_encode_udaf(node, buffer)
    }

    fn try_decode_udaf(&self, name: &str, bytes: &[u8]) -> Result<Arc<AggregateUDF>> {
        self.inner.try_decode_udaf(name, bytes)
    }

    fn try_encode_udwf(&self, node: &WindowUDF, buffer: &mut Vec<u8>) -> Result<()> {
        self.inner.try_encode_udwf(node, buffer)
    }

    fn try_decode_udwf(&self, name: &str, bytes: &[u8]) -> Result<Arc<WindowUDF>> {
        self.inner.try_decode_udwf(name, bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::Table;
    use crate::session::{Session, SessionOptions};
    use crate::store::StoreOptions;
    use arrow::util::pretty::pretty_format_batches;
    use datafusion::physical_plan::collect;
    use datafusion_proto::physical_plan::{AsExecutionPlan as _, DefaultPhysicalExtensionCodec};
    use datafusion_proto::protobuf::PhysicalPlanNode;

    const FIXTURES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../fixtures/mixed");

    fn codec() -> PhysicalCodec {
        // Not the codec of a particular engine: this one must work with any.
        let stores = Arc::new(Stores::new(StoreOptions::default()));
        PhysicalCodec::new(Arc::new(DefaultPhysicalExtensionCodec {}), stores)
    }

    async fn plan_of(session: &Session, sql: &str) -> Arc<dyn ExecutionPlan> {
        session.context().sql(sql).await.unwrap().create_physical_plan().await.unwrap()
    }

    fn sent(codec: &PhysicalCodec, session: &Session, plan: Arc<dyn ExecutionPlan>) -> Arc<dyn ExecutionPlan> {
        let node = PhysicalPlanNode::try_from_physical_plan(plan, codec).unwrap();
        let bytes = node.encode_to_vec();
        let context = session.context().task_ctx();
        PhysicalPlanNode::decode(&bytes[..]).unwrap().try_into_physical_plan(&context, codec).unwrap()
    }

    async fn rows(session: &Session, plan: Arc<dyn ExecutionPlan>) -> Vec<String> {
        let batches = collect(plan, session.context().task_ctx()).await.unwrap();
        let table = pretty_format_batches(&batches).unwrap().to_string();
        let mut lines: Vec<String> = table.lines().filter(|line| !line.starts_with('+')).map(str::to_owned).collect();
        lines.sort();
        lines
    }

    #[tokio::test]
    async fn a_plan_that_was_sent_gives_the_same_rows() {
        for layout in [TextLayout::Views, TextLayout::Plain] {
            let options = SessionOptions::new().with_text_layout(layout).with_threads(3);
            let session = Session::open(&[FIXTURES.to_owned()], options).await.unwrap();
            let codec = codec();
            for sql in [
                "SELECT * FROM logs WHERE key LIKE '%a%' AND http_status < 400",
                "SELECT upper(operation), time FROM logs WHERE log_object LIKE '%2026%'",
                "SELECT * FROM cdn",
                "SELECT source, bucket, count(*) FROM requests GROUP BY 1, 2",
                "SELECT * FROM rejects",
                "SELECT uri_method(request_uri), count(*) FROM logs GROUP BY 1",
                "SELECT request_id FROM logs ORDER BY request_id LIMIT 3",
            ] {
                let plan = plan_of(&session, sql).await;
                let there = sent(&codec, &session, Arc::clone(&plan));
                // As a scheduler would pass it on.
                let there = sent(&codec, &session, there);
                assert_eq!(plan.schema(), there.schema());
                assert_eq!(rows(&session, there).await, rows(&session, plan).await, "{sql}");
            }
        }
    }

    #[tokio::test]
    async fn what_is_read_elsewhere_is_counted_by_metrics() {
        let session = Session::open(&[FIXTURES.to_owned()], SessionOptions::new()).await.unwrap();
        let there = sent(&codec(), &session, plan_of(&session, "SELECT key FROM logs").await);
        let rows: usize = collect(Arc::clone(&there), session.context().task_ctx())
            .await
            .unwrap()
            .iter()
            .map(arrow::array::RecordBatch::num_rows)
            .sum();
        assert_eq!(session.progress().snapshot().rows, 0);
        let metrics = there.metrics().unwrap();
        let counted: usize = metrics.sum_by_name("s3log.rows").unwrap().as_usize();
        assert_eq!(counted, rows);
        assert_eq!(metrics.sum_by_name("s3log.objects").unwrap().as_usize(), 7);
    }

    #[test]
    fn what_is_not_ours_goes_to_the_engine() {
        let context = TaskContext::default();
        let converter = datafusion_proto::physical_plan::DefaultPhysicalProtoConverter {};
        let foreign = codec().try_decode(b"something", &[], &context, &converter).unwrap_err();
        assert!(foreign.to_string().contains("not provided"), "{foreign}");
        let broken = codec().try_decode(b"S3LOG\0\x01\xff", &[], &context, &converter).unwrap_err();
        assert!(broken.to_string().contains("a plan is broken"), "{broken}");
        let scan = Scan { table: "nonsense".to_owned(), lines: Some(Lines::default()), ..Scan::default() };
        let node = Node { kind: Some(node::Kind::Scan(Box::new(scan))) };
        let bytes = [MAGIC, &node.encode_to_vec()].concat();
        let unknown = codec().try_decode(&bytes, &[], &context, &converter).unwrap_err();
        assert!(unknown.to_string().contains("there is no table `nonsense` here"), "{unknown}");
        assert!(Table::ALL.iter().all(|table| table_of(table.name()).is_ok_and(|found| found == *table)));
    }
}
