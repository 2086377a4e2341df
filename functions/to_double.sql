{#
    A numeric as double precision where it fits: null beyond its range, 0 where
    it would underflow. PostgreSQL's cast raises, which would end a build.
#}
select
    case
        when abs(exact_value) > 1.7e308 then null
        when abs(exact_value) < 1e-300 then 0
        else exact_value
    end::double precision
