//! Filters inside the scan: cheap columns are decoded and tested first, expensive ones only for the remaining rows.
//!
//! A predicate is split at its ANDs. Each part is a stage that decodes its own columns for the rows that passed the
//! earlier stages. Dynamic filters (such as those of a TopK) are re-evaluated for each block.

use crate::decode::{Block, RecordsDecoder, Rows, batch};
use crate::error::Error;
use arrow::array::{Array, BooleanArray, RecordBatch};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::common::Result as DataFusionResult;
use datafusion::common::cast::as_boolean_array;
use datafusion::physical_expr::utils::{collect_columns, reassign_expr_columns, split_conjunction};
use datafusion::physical_plan::PhysicalExpr;
use std::sync::Arc;

/// A predicate over the columns of a decoder.
pub(super) struct Filter {
    stages: Vec<Stage>,
}

struct Stage {
    predicate: Arc<dyn PhysicalExpr>,
    /// Positions among the decoder's columns, ascending.
    columns: Vec<usize>,
    schema: SchemaRef,
    cost: u32,
}

/// The rows of a block that passed.
pub(super) enum Selected {
    All,
    Rows(Vec<u32>),
}

impl Selected {
    /// Number of rows that passed, of `rows` in total.
    pub(super) fn count(&self, rows: usize) -> usize {
        match self {
            Self::All => rows,
            Self::Rows(rows) => rows.len(),
        }
    }

    /// For columns that are only read by a predicate.
    fn borrowed(&self) -> Rows<'_> {
        Rows { selected: self.numbers(), copies_text: false }
    }

    /// For columns of the output. Text is copied on request, or if less than half of the block's `rows` would keep all
    /// of it alive.
    pub(super) fn for_output(&self, rows: usize, copies_text: bool) -> Rows<'_> {
        let few = self.count(rows) * 2 < rows;
        Rows { selected: self.numbers(), copies_text: copies_text || few }
    }

    fn numbers(&self) -> Option<&[u32]> {
        match self {
            Self::All => None,
            Self::Rows(rows) => Some(rows),
        }
    }
}

impl Filter {
    /// Creates the stages of a predicate whose columns are named as in `decoded`, the schema of the decoder.
    pub(super) fn new(predicate: &Arc<dyn PhysicalExpr>, decoded: &SchemaRef) -> DataFusionResult<Self> {
        let stages = split_conjunction(predicate).into_iter().map(|part| Stage::new(part, decoded));
        let mut stages = stages.collect::<DataFusionResult<Vec<_>>>()?;
        stages.sort_by_key(|stage| stage.cost);
        Ok(Self { stages })
    }

    /// The rows of the located block for which every part of the predicate is true.
    pub(super) fn select(&self, decoder: &RecordsDecoder, block: &Block, rows: usize) -> DataFusionResult<Selected> {
        let mut selected = Selected::All;
        for stage in &self.stages {
            let left = selected.count(rows);
            if left == 0 {
                break;
            }
            let arrays = decoder.arrays(block, &stage.columns, selected.borrowed())?;
            let batch = batch(Arc::clone(&stage.schema), arrays, left).map_err(Error::from)?;
            let kept = stage.test(&batch)?;
            if kept.true_count() < left {
                selected = Selected::Rows(refine(&selected, &kept));
            }
        }
        Ok(selected)
    }
}

impl Stage {
    fn new(part: &Arc<dyn PhysicalExpr>, decoded: &SchemaRef) -> DataFusionResult<Self> {
        let columns: Vec<usize> = positions(part, decoded)?;
        let schema = Arc::new(decoded.project(&columns)?);
        let cost = schema.fields().iter().map(|field| cost(field)).sum();
        let predicate = reassign_expr_columns(Arc::clone(part), &schema)?;
        Ok(Self { predicate, columns, schema, cost })
    }

    fn test(&self, batch: &RecordBatch) -> DataFusionResult<BooleanArray> {
        true_rows(&self.predicate, batch)
    }
}

/// Where the predicate is true; NULL counts as false.
pub(super) fn true_rows(predicate: &Arc<dyn PhysicalExpr>, batch: &RecordBatch) -> DataFusionResult<BooleanArray> {
    let tested = predicate.evaluate(batch)?.into_array(batch.num_rows())?;
    let tested = as_boolean_array(&tested)?;
    Ok(if tested.null_count() == 0 { tested.clone() } else { arrow::compute::prep_null_mask_filter(tested) })
}

/// Positions in the schema of the columns that an expression reads, ascending.
pub(super) fn positions(expr: &Arc<dyn PhysicalExpr>, schema: &Schema) -> DataFusionResult<Vec<usize>> {
    let columns = collect_columns(expr).into_iter().map(|column| schema.index_of(column.name()));
    let mut positions = columns.collect::<Result<Vec<_>, _>>()?;
    positions.sort_unstable();
    positions.dedup();
    Ok(positions)
}

/// Rough cost of decoding and comparing a column: numbers, then short text, then derived columns.
fn cost(column: &Field) -> u32 {
    match column.data_type() {
        DataType::Timestamp(..) | DataType::Boolean => 1,
        DataType::Int32 => 2,
        DataType::Int64 | DataType::Float64 => 3,
        _ => match column.name().as_str() {
            // One value per object.
            "log_object" | "source" => 1,
            "object_key" => 8,
            _ => 4,
        },
    }
}

fn refine(selected: &Selected, kept: &BooleanArray) -> Vec<u32> {
    let kept = kept.values().set_indices();
    match selected {
        Selected::All => kept.map(|row| row as u32).collect(),
        Selected::Rows(rows) => kept.map(|at| rows[at]).collect(),
    }
}
