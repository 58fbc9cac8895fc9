<?php

declare(strict_types=1);

namespace InnoAI\Exception;

/** 403: the credential may not do this. */
class PermissionDeniedError extends APIStatusError
{
}
