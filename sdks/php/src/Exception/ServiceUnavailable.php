<?php

declare(strict_types=1);

namespace InnoAI\Exception;

/** 503: the server cannot decide or serve at the moment. */
final class ServiceUnavailable extends InternalServerError
{
}
