-- Flagged vertebrae (grade_min or more; grade 1 or more where it is not given) of the first 200 patients of the worklist:
-- every column, one row a vertebra, of the one series of the exam that its overlay shows, or where none was drawn of the
-- series with the most probable fracture. place is the patient's place in the worklist.
WITH listed AS (
    SELECT
        row_number() OVER (
            ORDER BY CASE WHEN getvariable('ask_grade_min') = 1 THEN fracture_probability ELSE grade2_probability END
                DESC NULLS LAST, patient_key, StudyInstanceUID
        ) AS place,
        StudyInstanceUID, patient_pseudonym, overlay_path
    FROM matching_exams
    WHERE graded_vertebra_count > 0
    QUALIFY place <= 200
),
shown AS (
    SELECT l.place, s.StudyInstanceUID, s.SeriesInstanceUID, s.shard_id
    FROM listed AS l
    JOIN series AS s
      ON s.StudyInstanceUID = l.StudyInstanceUID AND s.patient_pseudonym IS NOT DISTINCT FROM l.patient_pseudonym
    WHERE s.state = 'screened'
    QUALIFY row_number() OVER (
        PARTITION BY l.place
        ORDER BY coalesce(s.overlay_path = l.overlay_path, false) DESC, s.patient_grade2_probability DESC NULLS LAST,
            s.SeriesInstanceUID
    ) = 1
)
SELECT shown.place, v.*
FROM vertebrae AS v
JOIN shown USING (StudyInstanceUID, SeriesInstanceUID, shard_id)
WHERE CASE WHEN getvariable('ask_grade') = 'raw' THEN v.genant_grade_raw ELSE v.genant_grade END
      >= coalesce(getvariable('ask_grade_min'), 1)
ORDER BY shown.place, v.vertebra_index;
